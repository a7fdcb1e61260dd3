/**
 * Who depends on what: pnpm lets a package import only what its package.json names, so these are looked at, and in the
 * sources what pnpm cannot know.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

interface Workspace {
  readonly folder: string;
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

const WORKSPACES: readonly Workspace[] = globSync(
  ['{packages,services,tools}/*/package.json', '{cli,gateway,gateway/console,test}/package.json'],
  {
    cwd: ROOT,
  },
).map((file) => {
  const {
    name,
    dependencies = {},
    devDependencies = {},
  } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as {
    readonly name: string;
    readonly dependencies?: Record<string, string>;
    readonly devDependencies?: Record<string, string>;
  };
  return {
    folder: dirname(file),
    name,
    dependencies: Object.keys(dependencies),
    devDependencies: Object.keys(devDependencies),
  };
});

const PROCESSES = /^@tidemark\/(?:.+-service|executor-worker|gateway|console|cli|test)$/;

/** What only some may depend on; `test` puts everything together. */
const ONLY: readonly (readonly [what: string, module: RegExp, who: readonly string[]])[] = [
  ['amqplib is spoken by messaging', /^amqplib$/, ['packages/messaging']],
  [
    'backup-service publishes and workers consume',
    /^@tidemark\/messaging$/,
    ['services/backup-service', 'services/executor-worker'],
  ],
  [
    'gateway and worker have no database',
    /^(?:mongodb|@tidemark\/mongo)$/,
    [
      'packages/mongo',
      'services/backup-service',
      'services/scheduler-service',
      'services/strategy-service',
      'tools/local-stack',
    ],
  ],
  ['Connect and Fastify belong to the gateway', /^(?:@connectrpc\/.+|fastify)$/, ['gateway', 'gateway/console']],
  ['processes meet on the wire', PROCESSES, []],
  ['no process needs a tool to run', /^@tidemark\/(?:demo-br|local-stack)$/, []],
];

describe.each(WORKSPACES.filter(({ folder }) => folder !== 'test'))(
  '$folder',
  ({ folder, dependencies, devDependencies }) => {
    it.each(ONLY)('%s', (_, module, who) => {
      if (!who.includes(folder)) expect(dependencies.filter((name) => module.test(name))).toEqual([]);
    });

    it('imports nothing but in tests that is there for tests alone', () => {
      const production = sourcesOf(folder).filter((file) => !/\.test\.ts$|\/testing\//.test(file));
      expect(production.length).toBeGreaterThan(0);
      const strayed = production.flatMap((file) =>
        importsOf(file)
          .filter((module) => devDependencies.some((name) => module === name || module.startsWith(`${name}/`)))
          .map((module) => `${file}: ${module}`),
      );
      expect(strayed).toEqual([]);
    });
  },
);

it('services see the messages of ts-proto, the gateway those of protobuf-es', () => {
  const services = globSync('services/*', { cwd: ROOT }).flatMap(sourcesOf);
  const gateway = sourcesOf('gateway').filter((file) => !/\.test\.ts$|\/testing\//.test(file));
  const seen = (files: readonly string[], kind: string) =>
    files.filter((file) => importsOf(file).some((module) => module.startsWith(`@tidemark/protocol/${kind}/`)));
  expect(seen(services, 'connect')).toEqual([]);
  expect(seen(gateway, 'grpc')).toEqual([]);
  expect(seen(services, 'grpc').length).toBeGreaterThan(0);
  expect(seen(gateway, 'connect').length).toBeGreaterThan(0);
});

function sourcesOf(folder: string): string[] {
  return globSync(`${folder}/src/**/*.ts`, { cwd: ROOT }).filter((file) => !file.includes('/gen/'));
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/(?:from|import\(?)\s*'([^']+)'/g)].map(([, module = '']) => module);
}
