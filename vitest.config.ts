import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const LONG = '.long.test.ts';
const WITH_SERVERS = 'with servers';
const areLongAsked = process.env.TIDEMARK_LONG_TESTS === '1';
const tests = globSync('**/*.test.ts', {
  exclude: (name) => name === 'node_modules' || name.startsWith('.tidemark'),
}).filter((file) => !file.endsWith(LONG) || areLongAsked || isNamed(file));
const withServers = new Set(tests.filter((file) => asksForServers(file)));

/** Whether an argument asks for a file by a part of its name. */
function isNamed(file: string): boolean {
  return process.argv
    .slice(2)
    .some((argument) => !argument.startsWith('-') && argument !== 'run' && file.includes(argument));
}

/** Whether a file asks for a server's URL, itself or through a file that it imports by a relative path. */
function asksForServers(file: string, seen = new Set<string>()): boolean {
  if (seen.has(file) || !existsSync(file)) return false;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  const imports = text.matchAll(/from '(\.[^']+)'/g);
  return /\binject\(/.test(text) || imports.some(([, path = '']) => asksForServers(join(dirname(file), path), seen));
}

/**
 * Those with servers come first, as they take longest, and all of a project after each other: Vitest keeps a worker's process only where the
 * next file is of the same project. Among them tests of services, which ask the database most, are spread among those of whole stacks, which
 * wait most: side by side they hold each other up.
 */
class SpreadSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isOfStack = ({ moduleId }: TestSpecification) => moduleId.includes('/test/');
    const served = sorted.filter(({ project }) => project.name === WITH_SERVERS);
    const stacks = served.filter(isOfStack);
    const others = served.filter((one) => !isOfStack(one));
    const each = Math.ceil(others.length / Math.max(1, stacks.length));
    const spread = stacks.flatMap((one, index) => [one, ...others.slice(index * each, (index + 1) * each)]);
    const alone = sorted.filter(({ project }) => project.name !== WITH_SERVERS);
    return [...spread, ...others.slice(stacks.length * each), ...alone];
  }
}

export default defineConfig({
  test: {
    environment: 'node',
    pool: 'forks',
    // A process for each file takes as long to start as most files take to run. No test mocks a module or leaves something behind.
    isolate: false,
    unstubEnvs: true,
    // Tests use real servers and real processes, also on machines with two busy cores.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    // As test/wait-longer.ts says of waits.
    expect: { poll: { timeout: 30_000 } },
    // Twice as many as there are: most of them wait for processes, windows and leases.
    maxWorkers: 4,
    reporters: ['default'],
    // What the code under test logs is shown when it is asked for: TIDEMARK_LOG_LEVEL=info npm test -- part-of-a-name
    env: { TIDEMARK_LOG_LEVEL: process.env.TIDEMARK_LOG_LEVEL ?? 'silent' },
    globalSetup: ['test/leave-nothing.ts'],
    sequence: { sequencer: SpreadSequencer },
    setupFiles: ['test/wait-longer.ts'],
    // Broker and database are started only when a test that needs them is among those that run.
    projects: [
      { extends: true, test: { name: 'alone', include: tests.filter((file) => !withServers.has(file)) } },
      {
        extends: true,
        test: { name: WITH_SERVERS, include: [...withServers], globalSetup: ['test/global-setup.ts'] },
      },
    ],
  },
});
