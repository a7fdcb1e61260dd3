/**
 * Schemathesis sends what the OpenAPI document allows and what it forbids to every route of a real Tidemark, and finds
 * no 5xx but "overloaded", no status, header or content type that the document does not name, and no answer that does not fit its schema.
 *
 * `TIDEMARK_LONG_TESTS=1 npm test -- test/contract/fuzz` also tries every bound of every field and sequences of calls;
 * `TIDEMARK_FUZZ_EXAMPLES=200` looks longer.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { installPythonPackage } from '@tidemark/local-stack/python-package';
import { expect, it } from 'vitest';
import { startTidemark } from '../e2e/tidemark.ts';

const execute = promisify(execFile);
const SCHEMATHESIS = {
  title: 'Schemathesis',
  folder: 'schemathesis-4.32.5',
  requirements: ['schemathesis==4.32.5', 'hypothesis==6.170.17', 'jsonschema_rs==0.60.3'],
  size: '60 MB',
};
const DOCUMENT = join(import.meta.dirname, '..', '..', 'docs', 'openapi.json');
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'ignored_auth',
];
/** All phases take five minutes on two cores. */
const IS_LONG = process.env.TIDEMARK_LONG_TESTS === '1';
const EXAMPLES = Number(process.env.TIDEMARK_FUZZ_EXAMPLES ?? (IS_LONG ? 2 : 1));
const PHASES = IS_LONG ? 'examples,coverage,fuzzing,stateful' : 'examples,fuzzing';
/** Where no worker is, a check waits 30 s for one: it gets only what is refused at once. */
const SLOW = 'checkStorage';
/** Being overloaded is an answer of its own, and the log tells whether a 503 was that. */
const CONFIG = `
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]
[[operations]]
include-operation-id = "${SLOW}"
[operations.generation]
mode = "negative"
`;
const GATEWAY = {
  TIDEMARK_RATE_PER_SECOND: '100000',
  TIDEMARK_RATE_BURST: '100000',
  // Who follows a backup until it is removed follows it for ever, where nobody removes it.
  TIDEMARK_STREAM_SECONDS: '1',
};

it('a fuzzer finds nothing that the document does not promise', { timeout: 300_000 + EXAMPLES * 60_000 }, async ({
  skip,
}) => {
  const python = await installPythonPackage(SCHEMATHESIS, {
    say: console.error,
    signal: AbortSignal.timeout(240_000),
  }).catch((error: Error) => {
    if (error.message.includes('needs Python')) return skip(error.message);
    throw error;
  });
  await using tidemark = await startTidemark({ env: { gateway: GATEWAY } });
  const clusterId = await tidemark.cluster('fuzzed');
  const backupId = await tidemark.start(clusterId);
  await tidemark.untilState(backupId, 'Succeeded');
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-fuzz-'));
  using _ = { [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
  writeFileSync(join(folder, 'schemathesis.toml'), CONFIG);
  // The examples name what is there.
  const sample = readFileSync(DOCUMENT, 'utf8').replaceAll('h6IhUQh-Q32MDOfcVieYgA', backupId);
  const file = join(folder, 'openapi.json');
  writeFileSync(file, sample.replaceAll('"test-tidb"', JSON.stringify(clusterId)));

  const { url, token } = tidemark.stack;
  const target = [file, '--url', `${url}/api/v1`, '--header', `Authorization: Bearer ${token}`];
  const bounds = [
    '--phases',
    PHASES,
    '--seed',
    '1',
    '--max-examples',
    String(EXAMPLES),
    '--request-timeout',
    '40',
    '--workers',
    '1',
  ];
  const quiet = ['--warnings', 'off', '--no-color', '--generation-database', 'none', '--suppress-health-check', 'all'];
  const program = join(dirname(python), 'schemathesis');
  const args = ['run', ...target, '--checks', CHECKS.join(), ...bounds, ...quiet];
  const said = await execute(program, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 }).then(
    ({ stdout }) => stdout,
    (error: { stdout?: string; message: string }) => error.stdout || error.message,
  );
  expect(said).toContain('No issues found');
  const failed = tidemark.logs('gateway').filter(({ msg, level }) => msg === 'request failed' && level !== 'info');
  // Both say that there is too much to do just now, which the tests beside this one see to.
  const isOnlyBusy = ({ code }: Record<string, unknown>) => code === 'overloaded' || code === 'deadline_exceeded';
  expect(failed.filter((one) => !isOnlyBusy(one))).toEqual([]);
});
