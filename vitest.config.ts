import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const LONG = '.long.test.ts';
const areLongAsked = process.env.TIDEMARK_LONG_TESTS === '1';
const tests = globSync('**/*.test.ts', {
  exclude: (name) => name === 'node_modules' || name.startsWith('.tidemark'),
}).filter((file) => !file.endsWith(LONG) || areLongAsked || isNamed(file));
const withServers = new Set(tests.filter((file) => asksForServers(file)));
const filtered = tests.filter((file) => filters().some((filter) => file.includes(filter)));
// Broker and database are started only where a test that needs them may be among those that run.
const needServers = (filtered.length > 0 ? filtered : tests).some((file) => withServers.has(file));

/** Parts of names of test files; what may be the value of an option is none. */
function filters(): string[] {
  const words = process.argv.slice(2).filter((word) => word !== 'run');
  return words.filter((word, index) => !word.startsWith('-') && !/^-[^=]*$/.test(words[index - 1] ?? ''));
}

/** Whether an argument asks for this very file; one that names a folder does not. */
function isNamed(file: string): boolean {
  return filters().some((filter) => file.includes(filter) && basename(file).includes(basename(filter)));
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
 * Tests of services, which ask the database most, of whole stacks, which wait most, and of everything else are spread among each other: side by
 * side those of a kind hold each other up. Of each kind the largest come first.
 */
class SpreadSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const kinds = Map.groupBy(sorted, ({ moduleId }) => {
      const file = relative(import.meta.dirname, moduleId);
      return withServers.has(file) ? file.startsWith('test/') : undefined;
    });
    const placed = [...kinds.values()].flatMap((kind) =>
      kind.map((one, index) => ({ one, place: (index + 0.5) / kind.length })),
    );
    return placed.sort((one, other) => one.place - other.place).map(({ one }) => one);
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
    // One more than there are: most of them wait for processes, windows and leases. With two more each takes so long that some miss their times.
    maxWorkers: 3,
    reporters: ['default'],
    // What the code under test logs is shown when it is asked for: TIDEMARK_LOG_LEVEL=info npm test -- part-of-a-name
    env: { TIDEMARK_LOG_LEVEL: process.env.TIDEMARK_LOG_LEVEL ?? 'silent' },
    globalSetup: ['test/leave-nothing.ts', ...(needServers ? ['test/global-setup.ts'] : [])],
    sequence: { sequencer: SpreadSequencer },
    setupFiles: ['test/wait-longer.ts'],
    include: tests,
  },
});
