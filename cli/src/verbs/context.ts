import { resolve } from 'node:path';
import { readToken, toUrl } from '../connection.ts';
import { contextsFile, readContexts, withContext, withCurrent, withoutContext, writeContexts } from '../contexts.ts';
import { UsageError } from '../exit.ts';
import { examples, type Program } from '../options.ts';
import type { Run } from '../session.ts';

export function add(program: Program, run: Run): void {
  const group = program
    .command('context')
    .summary('addresses of Tidemark under names')
    .description(
      'Keeps addresses of Tidemark under names, each with the file of its token. The token itself stays in that file.',
    );
  group
    .command('add <name>')
    .description('Keeps the --url and the --token-file under a name. The first context is in use.')
    .option('--use', 'use it from now on')
    .addHelpText(
      'after',
      examples('context add prod --url https://tidemark.example --token-file ~/.tidemark-token --use'),
    )
    .action((name, { use }) =>
      run(async ({ env, folder, tell }) => {
        const { url, tokenFile } = group.optsWithGlobals();
        if (url === undefined || tokenFile === undefined)
          throw new UsageError('Say --url and --token-file: both are kept under the name.');
        const file = resolve(folder, tokenFile);
        readToken(file);
        const added = withContext(readContexts(contextsFile(env)), name, { url: toUrl(url), tokenFile: file });
        const contexts = use ? withCurrent(added, name) : added;
        writeContexts(contextsFile(env), contexts);
        tell(`Kept the context ${name}${contexts.current === name ? ', which is in use' : ''}.`);
      }),
    );
  group
    .command('use <name>')
    .description('Uses a context where none is named.')
    .addHelpText('after', examples('context use prod'))
    .action((name) =>
      run(async ({ env, tell }) => {
        writeContexts(contextsFile(env), withCurrent(readContexts(contextsFile(env)), name));
        tell(`The context ${name} is in use.`);
      }),
    );
  group
    .command('list')
    .description('Lists the contexts.')
    .addHelpText('after', examples('context list'))
    .action(() =>
      run(async ({ env, output }) => {
        const { current, contexts } = readContexts(contextsFile(env));
        const rows = Object.entries(contexts).map(([name, one]) => ({ name, ...one, current: name === current }));
        await output.list({ contexts: rows }, rows, [
          { title: 'IN USE', of: (row) => (row.current ? '*' : '') },
          { title: 'NAME', of: ({ name }) => name },
          { title: 'URL', of: ({ url }) => url },
          { title: 'TOKEN FILE', of: ({ tokenFile }) => tokenFile },
        ]);
      }),
    );
  group
    .command('remove <name>')
    .description('Forgets a context; its token file stays.')
    .addHelpText('after', examples('context remove old'))
    .action((name) =>
      run(async ({ env, tell }) => {
        writeContexts(contextsFile(env), withoutContext(readContexts(contextsFile(env)), name));
        tell(`Forgot the context ${name}.`);
      }),
    );
}
