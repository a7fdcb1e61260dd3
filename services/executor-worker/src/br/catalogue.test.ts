/** Every failure of br-contract 8.1 and 8.2 that a backup can meet, in BR's words as `demo-br` speaks them, and what is to be done. */
import { NAMED_FAILURES, namedFailure } from '@tidemark/demo-br/named-failures';
import { describe, expect, it } from 'vitest';
import { classifyFailure, type Failure } from './outcome.ts';
import { createOutputReader } from './output.ts';

const EXPECTED: Readonly<Record<Failure['kind'], readonly (keyof typeof NAMED_FAILURES)[]>> = {
  permanent: [
    'invalid-argument',
    'version-mismatch',
    'invalid-meta-file',
    'env-not-specified',
    'unsupported-operation',
    'invalid-range',
    'backup-invalid-range',
    'storage-invalid-config',
    'storage-invalid-permission',
    'tikv-path-not-found',
    'tikv-permission-denied',
    'kv-cluster-id-mismatch',
    'not-tikv-storage',
    'kv-disk-full',
    'possible-inconsistency',
    'access-denied',
    'invalid-access-key-id',
    'signature-does-not-match',
    'no-such-bucket',
    'permission-denied',
    'region-not-matched',
    'region-unknown',
    'credential-not-found',
    'wrong-cipher',
    'wrong-key',
  ],
  retry: [
    'unknown-error',
    'failed-to-connect',
    'pd-update-failed',
    'pd-leader-not-found',
    'pd-invalid-response',
    'pd-batch-scan-region',
    'backup-no-leader',
    'backup-region-error',
    'key-is-locked',
    'storage-unknown',
    'tikv-io-error',
    'tikv-unknown-error',
    'kv-unknown',
    'kv-not-leader',
    'kv-epoch-not-match',
    'kv-key-not-in-region',
    'context-canceled',
    'grpc-canceled',
    'resolve-lock-timeout',
    'connection-refused',
    'connection-reset',
    'timeout',
    'unavailable',
    'deadline-exceeded',
    'slow-down',
    'internal-error',
    'request-timeout',
    'ranges-incomplete',
    'pd-unreachable',
    'pd-not-bootstrapped',
    'tidb-never-started',
    'killed',
  ],
  newPath: ['backup-checksum-mismatch', 'gc-safepoint-exceeded', 'gc-safe-point-panic'],
  wait: ['lock-held'],
};
const CASES = Object.entries(EXPECTED).flatMap(([kind, names]) => names.map((name) => [name, kind] as const));

describe('what is to be done about a failure of br', () => {
  it('is known of every one in the catalogue', () => {
    expect(CASES.map(([name]) => name).sort()).toEqual(Object.keys(NAMED_FAILURES).sort());
  });

  it.each(CASES)('%s: %s', (name, kind) => {
    const { text, code, instead } = namedFailure(name);
    const reader = createOutputReader(() => undefined);
    const words = [text, ...(code ? [`[${code}]as it is`] : [])].filter(Boolean).join(': ');
    if (instead !== 'crash')
      reader.stderr(Buffer.from(instead === 'panic' ? `panic: ${words}\n` : `Error: ${words}\n`));
    const failure = classifyFailure(
      {
        code: instead === 'crash' ? undefined : instead === 'panic' ? 2 : 1,
        signal: instead === 'crash' ? 'SIGKILL' : undefined,
        silenced: false,
        error: undefined,
      },
      reader.result(),
    );
    expect(failure.kind).toBe(kind);
    expect(failure.message).toMatch(/^[A-Zb].*[.?]$/);
    if (code) expect(failure.code).toBe(code);
  });
});
