/** Each row of the table of forbidden imports (CONTRIBUTING.md), planted in a copy of the tree's shape: the linter must bite. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const use = (module: string) => `import * as used from '${module}';\nexport const it = used;\n`;

/** What is planted where, and whether it may stand. */
const ROWS: readonly (readonly [rule: string, file: string, text: string, allowed?: true])[] = [
  ['packages import no service', 'packages/mongo/src/a.ts', use('@tidemark/backup-service/decide')],
  ['packages import no gateway', 'packages/mongo/src/b.ts', use('@tidemark/gateway/gateway')],
  ['packages import no tests', 'packages/mongo/src/c.ts', use('@tidemark/test/e2e')],
  ['a package may import another by its exports', 'packages/mongo/src/d.ts', use('@tidemark/errors/app-error'), true],
  ['a service imports no other service', 'services/strategy-service/src/a.ts', use('@tidemark/backup-service/x')],
  ['a service imports no gateway', 'services/backup-service/src/a.ts', use('@tidemark/gateway/x')],
  [
    'nobody imports another package by path',
    'services/backup-service/src/b.ts',
    use('../../../packages/mongo/src/clock.ts'),
  ],
  [
    'no service imports another by path',
    'services/backup-service/src/c.ts',
    use('../../strategy-service/src/strategy.ts'),
  ],
  ['nobody imports a name outside the exports', 'services/backup-service/src/d.ts', use('@tidemark/mongo/src/clock')],
  ['a service may import its own files', 'services/backup-service/src/rpc/e.ts', use('../backup.ts'), true],
  ['only messaging imports amqplib', 'services/backup-service/src/f.ts', use('amqplib')],
  ['the worker does not import amqplib either', 'services/executor-worker/src/a.ts', use('amqplib')],
  ['messaging may import amqplib', 'packages/messaging/src/a.ts', use('amqplib'), true],
  ['strategy-service has no broker', 'services/strategy-service/src/b.ts', use('@tidemark/messaging/publisher')],
  ['scheduler-service has no broker', 'services/scheduler-service/src/b.ts', use('@tidemark/messaging/publisher')],
  ['the gateway has no broker', 'gateway/src/a.ts', use('@tidemark/messaging/publisher')],
  ['backup-service may publish', 'services/backup-service/src/g.ts', use('@tidemark/messaging/publisher'), true],
  ['the gateway has no database', 'gateway/src/b.ts', use('mongodb')],
  ['nor through our own package', 'gateway/src/c.ts', use('@tidemark/mongo/connection')],
  ['the gateway sees no ts-proto', 'gateway/src/d.ts', use('@tidemark/protocol/grpc/tidemark/backup/v1/backup')],
  [
    'the gateway may see protobuf-es',
    'gateway/src/e.ts',
    use('@tidemark/protocol/connect/tidemark/backup/v1/backup'),
    true,
  ],
  [
    'services see no protobuf-es',
    'services/backup-service/src/h.ts',
    use('@tidemark/protocol/connect/tidemark/backup/v1/backup'),
  ],
  ['services know no Connect', 'services/strategy-service/src/c.ts', use('@connectrpc/connect')],
  ['services know no Fastify', 'services/scheduler-service/src/c.ts', use('fastify')],
  ['the worker has no database', 'services/executor-worker/src/b.ts', use('mongodb')],
  ['nor through our own package, the worker', 'services/executor-worker/src/c.ts', use('@tidemark/mongo/connection')],
  ['pure: schedule does no I/O', 'packages/schedule/src/a.ts', use('node:fs')],
  ['pure: schedule reads no clock', 'packages/schedule/src/b.ts', 'export const a = () => Temporal.Now.instant();\n'],
  ['pure: decide reads no clock', 'services/backup-service/src/decide/a.ts', 'export const a = () => new Date();\n'],
  [
    'pure: decide may make dates of what it is given',
    'services/backup-service/src/decide/b.ts',
    'export const a = (ms: number) => new Date(ms);\n',
    true,
  ],
  ['pure: decide does no I/O', 'services/backup-service/src/decide/c.ts', use('mongodb')],
  [
    'pure: backup-path reads no clock',
    'services/backup-service/src/backup-path.ts',
    'export const a = () => Date.now();\n',
  ],
  [
    'pure: catch-up waits for nothing',
    'services/scheduler-service/src/catch-up.ts',
    'export const a = () => setTimeout(() => undefined, 1);\n',
  ],
  ['pure: legacy-record does no I/O', 'gateway/src/rest/legacy-record.ts', use('@grpc/grpc-js')],
  [
    'the environment is read in service-kit/env alone',
    'services/backup-service/src/i.ts',
    'export const a = process.env.HOME;\n',
  ],
  ['service-kit/env may read it', 'packages/service-kit/src/env.ts', 'export const a = process.env.HOME;\n', true],
  ['local-stack may read it', 'packages/local-stack/src/a.ts', 'export const a = process.env.HOME;\n', true],
  ['tests may read it', 'services/backup-service/src/j.test.ts', 'export const a = process.env.HOME;\n', true],
  ['services start no processes', 'services/backup-service/src/k.ts', use('node:child_process')],
  [
    'the worker starts them in br/process and br/guard alone',
    'services/executor-worker/src/d.ts',
    use('node:child_process'),
  ],
  ['br/process may start them', 'services/executor-worker/src/br/process.ts', use('node:child_process'), true],
  [
    'br/guard may start them, end itself and listen to signals',
    'services/executor-worker/src/br/guard.ts',
    `${use('node:child_process')}process.on('SIGTERM', () => process.exit(0));\n`,
    true,
  ],
  ['local-stack may start them', 'packages/local-stack/src/b.ts', use('node:child_process'), true],
  ['nobody else listens to signals', 'services/backup-service/src/l.ts', "process.on('SIGTERM', () => undefined);\n"],
  ['nobody else ends the process', 'gateway/src/f.ts', 'process.exit(1);\n'],
  [
    'run-service may do both',
    'packages/service-kit/src/run-service.ts',
    "process.on('SIGTERM', () => process.exit(0));\n",
    true,
  ],
  ['demo-br may do both', 'packages/demo-br/src/a.ts', "process.on('SIGTERM', () => process.exit(0));\n", true],
  [
    'no cycles',
    'packages/mongo/src/cycle-one.ts',
    "import { two } from './cycle-two.ts';\nexport const one = () => two;\n",
  ],
  ['no export *', 'packages/mongo/src/e.ts', "export * from './d.ts';\n"],
  ['no enum', 'packages/mongo/src/f.ts', 'export enum Colour {\n  Red,\n}\n'],
  ['no parameter properties', 'packages/mongo/src/g.ts', 'export class A {\n  constructor(readonly a: number) {}\n}\n'],
];

describe('the linter', () => {
  let folder: string;
  const complaints = new Map<string, string[]>();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-lint-'));
    const config = JSON.parse(readFileSync(join(ROOT, 'biome.json'), 'utf8')) as { vcs: object; $schema?: string };
    delete config.$schema;
    writeFileSync(join(folder, 'biome.json'), JSON.stringify({ ...config, vcs: { enabled: false } }));
    cpSync(join(ROOT, 'lint'), join(folder, 'lint'), { recursive: true });
    const plant = (file: string, text: string) => {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    };
    for (const [, file, text] of ROWS) plant(file, text);
    plant('packages/mongo/src/cycle-two.ts', "import { one } from './cycle-one.ts';\nexport const two = () => one;\n");
    const biome = join(ROOT, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [biome, 'lint', '--reporter=json', '--max-diagnostics=none', '.'],
      {
        cwd: folder,
        maxBuffer: 64 * 1024 * 1024,
      },
    ).catch((error: { stdout: string }) => error);
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: { category: string; severity: string; location: { path: string | { file: string } } }[];
    };
    for (const { category, location } of diagnostics) {
      const path = typeof location.path === 'string' ? location.path : location.path.file;
      complaints.set(path, [...(complaints.get(path) ?? []), category]);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(ROWS.map(([rule, file, , allowed]) => ({ rule, file, allowed })))('$rule', ({ file, allowed }) => {
    const found = [...complaints].filter(([path]) => path.endsWith(file)).flatMap(([, categories]) => categories);
    if (allowed) expect(found).toEqual([]);
    else expect(found).not.toEqual([]);
  });
});
