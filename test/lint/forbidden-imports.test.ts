/** Each row of the table of forbidden imports (CONTRIBUTING.md), planted in a copy of the tree's shape: the linter must bite. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

/** What the linter must say about a file; `nothing` means that the file may stand. */
const COMPLAINTS = {
  import: /noRestrictedImports/,
  environment: /noProcessEnv/,
  child: /^plugin: Only br\/process/,
  control: /^plugin: Only service-kit\/run-service/,
  pure: /^plugin: This file is pure/,
  cycle: /noImportCycles/,
  exportAll: /noReExportAll/,
  enum: /noEnum/,
  parameterProperty: /noParameterProperties/,
  floating: /noFloatingPromises/,
  nothing: undefined,
} as const;

type Row = readonly [rule: string, file: string, complaint: keyof typeof COMPLAINTS, text: string];

const use = (module: string) => `import * as used from '${module}';\nexport const it = used;\n`;
const readHome = 'export const a = process.env.HOME;\n';
const control = "process.on('SIGTERM', () => process.exit(0));\n";

const BETWEEN_PACKAGES: readonly Row[] = [
  ['packages import no tests by path', 'packages/mongo/src/e.ts', 'import', use('../../../test/e2e/tidemark.ts')],
  [
    'a package may import another by its exports',
    'packages/mongo/src/f.ts',
    'nothing',
    use('@tidemark/errors/app-error'),
  ],
  [
    'nobody imports another package by path',
    'services/backup-service/src/c.ts',
    'import',
    use('../../../packages/mongo/src/clock.ts'),
  ],
  ['nobody imports a tool by path', 'gateway/src/a.ts', 'import', use('../../tools/local-stack/src/stack.ts')],
  [
    'nor when the import is dynamic',
    'services/backup-service/src/d.ts',
    'import',
    "export const a = () => import('../../../packages/mongo/src/clock.ts');\n",
  ],
  [
    'no service imports another by path',
    'services/backup-service/src/e.ts',
    'import',
    use('../../strategy-service/src/strategy.ts'),
  ],
  [
    'the simulation may put services together',
    'test/simulation/a.ts',
    'nothing',
    use('../../services/scheduler-service/src/due-loop.ts'),
  ],
  ['but not the gateway', 'test/simulation/b.ts', 'import', use('../../gateway/src/gateway.ts')],
  ['nor under a second name for the process', 'test/simulation/c.ts', 'import', use('node:process')],
  [
    'no other test knows a service by path',
    'test/e2e/b.test.ts',
    'import',
    use('../../services/scheduler-service/src/due-loop.ts'),
  ],
  ['a service may import its own files', 'services/backup-service/src/rpc/a.ts', 'nothing', use('../backup.ts')],
];

const PURE: readonly Row[] = [
  ['br-options does no I/O', 'packages/br-options/src/a.ts', 'pure', use('node:fs')],
  ['br-restore reads no clock', 'packages/br-restore/src/a.ts', 'pure', 'export const a = () => Date.now();\n'],
  ['schedule does no I/O', 'packages/schedule/src/a.ts', 'pure', use('node:fs/promises')],
  ['schedule reads no clock', 'packages/schedule/src/b.ts', 'pure', 'export const a = () => Temporal.Now.instant();\n'],
  ['task reads no clock', 'packages/task/src/a.ts', 'pure', 'export const a = () => Date.now();\n'],
  ['decide reads no date', 'services/backup-service/src/decide/a.ts', 'pure', 'export const a = () => new Date();\n'],
  ['decide opens no socket', 'services/backup-service/src/decide/b.ts', 'pure', use('node:tls')],
  ['decide knows no database', 'services/backup-service/src/decide/c.ts', 'pure', use('mongodb')],
  ['decide logs nothing', 'services/backup-service/src/decide/d.ts', 'pure', use('@tidemark/service-kit/logging')],
  [
    'decide knows no store of its service',
    'services/backup-service/src/decide/e.ts',
    'pure',
    use('../backup-store.ts'),
  ],
  [
    'decide draws no lots',
    'services/backup-service/src/decide/f.ts',
    'pure',
    'export const a = () => Math.random();\n',
  ],
  [
    'nor from the module that it hashes with',
    'services/backup-service/src/decide/h.ts',
    'pure',
    "import { randomUUID } from 'node:crypto';\nexport const a = () => randomUUID();\n",
  ],
  [
    'decide may make dates of what it is given, hash, and throw our errors',
    'services/backup-service/src/decide/g.ts',
    'nothing',
    "import { createHash } from 'node:crypto';\nimport { AppError } from '@tidemark/errors/app-error';\nimport type { Backup } from '../backup.ts';\nexport const a = (ms: number, of: Backup) => [new Date(ms), createHash, AppError, of];\n",
  ],
  [
    'tests of decide may read a clock',
    'services/backup-service/src/decide/decide.test.ts',
    'nothing',
    'export const a = Date.now();\n',
  ],
  [
    'backup-path reads no clock',
    'services/backup-service/src/backup-path.ts',
    'pure',
    'export const a = () => Date.now();\n',
  ],
  [
    'catch-up waits for nothing',
    'services/scheduler-service/src/catch-up.ts',
    'pure',
    'export const a = () => setTimeout(() => undefined, 1);\n',
  ],
  ['manifest reads no file', 'services/backup-service/src/manifest.ts', 'pure', use('node:fs')],
  [
    'storage-check reads no clock',
    'services/backup-service/src/storage-check.ts',
    'pure',
    'export const a = () => Date.now();\n',
  ],
  ['derive reads no database', 'services/strategy-service/src/derive.ts', 'pure', use('./strategy-store.ts')],
  ['legacy-record calls nobody', 'gateway/src/rest/legacy-record.ts', 'pure', use('@grpc/grpc-js')],
];

const PROCESS: readonly Row[] = [
  ['the environment is read in service-kit/env alone', 'services/backup-service/src/k.ts', 'environment', readHome],
  ['and not past the global process', 'services/backup-service/src/l.ts', 'import', use('node:process')],
  ['service-kit/env may read it', 'packages/service-kit/src/env.ts', 'nothing', readHome],
  ['local-stack may read it', 'tools/local-stack/src/b.ts', 'nothing', readHome],
  ['demo-br may read it', 'tools/demo-br/src/a.ts', 'nothing', readHome],
  ['tests may read it', 'services/backup-service/src/m.test.ts', 'nothing', readHome],
  ['services start no processes', 'services/backup-service/src/n.ts', 'child', use('node:child_process')],
  [
    'nor when the import is dynamic',
    'services/backup-service/src/o.ts',
    'child',
    "export const a = () => import('node:child_process');\n",
  ],
  [
    'the worker starts them in br/process and br/guard alone',
    'services/executor-worker/src/g.ts',
    'child',
    use('node:child_process'),
  ],
  ['packages start no processes', 'packages/service-kit/src/a.ts', 'child', use('node:child_process')],
  [
    'what asks ps about a process may start it',
    'packages/processes/src/identity.ts',
    'nothing',
    use('node:child_process'),
  ],
  ['the command line starts no processes', 'cli/src/a.ts', 'child', use('node:child_process')],
  ['br/process may start them', 'services/executor-worker/src/br/process.ts', 'nothing', use('node:child_process')],
  ['br/version may start them', 'services/executor-worker/src/br/version.ts', 'nothing', use('node:child_process')],
  ['but does not end this process', 'services/executor-worker/src/br/command.ts', 'control', 'process.exit(1);\n'],
  [
    'br/guard may start them, end itself and listen to signals',
    'services/executor-worker/src/br/guard.mjs',
    'nothing',
    use('node:child_process') + control,
  ],
  ['local-stack may do all of it', 'tools/local-stack/src/c.ts', 'nothing', use('node:child_process') + control],
  ['demo-br may do all of it', 'tools/demo-br/src/b.ts', 'nothing', use('node:child_process') + control],
  ['tests may do all of it', 'gateway/src/c.test.ts', 'nothing', use('node:child_process') + control],
  ['what tests share may do all of it', 'test/e2e/b.ts', 'nothing', use('node:child_process') + control],
  ['scripts may do all of it', 'scripts/a.ts', 'nothing', use('node:child_process') + control],
  [
    'nobody else listens to signals',
    'services/backup-service/src/p.ts',
    'control',
    "process.on('SIGTERM', () => undefined);\n",
  ],
  ['nobody else ends the process', 'gateway/src/h.ts', 'control', 'process.exit(1);\n'],
  ['nor under another name', 'gateway/src/i.ts', 'control', 'const { exit } = process;\nexit(1);\n'],
  ['nor through the global object', 'gateway/src/j.ts', 'control', 'globalThis.process.exit(1);\n'],
  ['run-service may do both', 'packages/service-kit/src/run-service.ts', 'nothing', control],
  ['the command line may do both', 'cli/src/b.ts', 'nothing', control],
];

const EVERYWHERE: readonly Row[] = [
  [
    'no cycles, of types neither',
    'packages/mongo/src/cycle-one.ts',
    'cycle',
    "import type { Two } from './cycle-two.ts';\nexport type One = readonly Two[];\n",
  ],
  ['no export *', 'packages/mongo/src/g.ts', 'exportAll', "export * from './f.ts';\n"],
  ['no enum', 'packages/mongo/src/h.ts', 'enum', 'export enum Colour {\n  Red,\n}\n'],
  [
    'no parameter properties',
    'packages/mongo/src/i.ts',
    'parameterProperty',
    'export class A {\n  constructor(readonly a: number) {}\n}\n',
  ],
  [
    'no promise that nobody waits for',
    'packages/mongo/src/j.ts',
    'floating',
    'async function a() {}\nexport function b() {\n  a();\n}\n',
  ],
];

const TABLE = { BETWEEN_PACKAGES, PURE, PROCESS, EVERYWHERE };

interface Report {
  readonly diagnostics: readonly {
    readonly category: string;
    readonly message: string;
    readonly location: { readonly path: string };
  }[];
}

describe('the linter', () => {
  let folder: string;
  let report: Report;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-lint-'));
    const { $schema, ...config } = JSON.parse(readFileSync(join(ROOT, 'biome.json'), 'utf8')) as { $schema: string };
    cpSync(join(ROOT, 'lint'), join(folder, 'lint'), { recursive: true });
    const plant = (file: string, text: string) => {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text, { flag: 'wx' });
    };
    plant('biome.json', JSON.stringify({ ...config, vcs: { enabled: false } }));
    plant(
      'packages/mongo/src/cycle-two.ts',
      "import type { One } from './cycle-one.ts';\nexport type Two = readonly One[];\n",
    );
    for (const [, file, , text] of Object.values(TABLE).flat()) plant(file, text);
    const biome = join(ROOT, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [biome, 'lint', '--reporter=json', '--max-diagnostics=none', '.'],
      { cwd: folder, maxBuffer: 64 * 1024 * 1024 },
    ).catch((error: { stdout: string }) => error);
    report = JSON.parse(stdout) as Report;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const [part, rows] of Object.entries(TABLE)) {
    describe(part.toLowerCase().replaceAll('_', ' '), () => {
      it.each(rows)('%s: %s', (_rule, file, complaint) => {
        const said = report.diagnostics
          .filter(({ location }) => location.path === file)
          .map(({ category, message }) => `${category}: ${message}`);
        const expected = COMPLAINTS[complaint];
        if (expected) expect(said).toContainEqual(expect.stringMatching(expected));
        else expect(said).toEqual([]);
      });
    });
  }
});
