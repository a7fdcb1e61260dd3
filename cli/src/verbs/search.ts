import { answered } from '../api.ts';
import type { SearchHit } from '../api-types.ts';
import { EXIT } from '../exit.ts';
import { examples, type Program } from '../options.ts';
import type { Run } from '../session.ts';
import type { Column } from '../table.ts';
import { when } from '../text.ts';

const COLUMNS: readonly Column<SearchHit>[] = [
  { title: 'KIND', of: ({ kind }) => kind },
  { title: 'ID', of: ({ id }) => id, style: ({ exact }) => (exact ? 'bold' : undefined) },
  { title: 'CLUSTER', of: ({ clusterId }) => clusterId ?? '-' },
  { title: 'WHAT', of: ({ title }) => title },
  { title: 'SINCE', of: ({ time }) => when(time), wide: true },
];

export function add(program: Program, run: Run): void {
  program
    .command('search')
    .summary('what has an id, or one that begins so')
    .description(
      'Finds clusters (also by their names), strategies, rules, storages, backups and restores by an id or its beginning; what has just this id comes first. Fails where nothing is found.',
    )
    .argument('<text>', 'an id, a name, or the beginning of one: 2 to 64 characters')
    .addHelpText('after', examples('search h6Ih', 'search orders -o json'))
    .action((text) =>
      run(async ({ api, output, tell }) => {
        const { data } = await answered(api.GET('/search', { params: { query: { text } } }));
        const { hits, more, incomplete } = data;
        if (hits.length > 0 || !output.isTable) await output.list(data, hits, COLUMNS);
        if (incomplete.length > 0)
          tell(`These could not be looked for just now: ${incomplete.join(', ')}. Try again.`, 'yellow');
        if (more) tell('There is more that begins so: a longer text finds it.');
        if (hits.length > 0) return EXIT.done;
        if (incomplete.length > 0) return EXIT.unreachable;
        tell(`Nothing that you may see begins with ${JSON.stringify(text.trim())}.`);
        return EXIT.failed;
      }),
    );
}
