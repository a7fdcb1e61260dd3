import { join, resolve } from 'node:path';
import { examples, type Program, toTexts } from '../options.ts';
import type { Run, Session } from '../session.ts';
import { createToken, listTokens, revokeToken, type TokenDependencies } from '../token.ts';
import { toNewToken } from '../token-options.ts';

const ABOUT = `Who may use Tidemark's API: a file of hashed tokens, which the gateway reads again by itself when it changes.

The file is --file, else TIDEMARK_TOKENS_FILE, else what npm start uses: .tidemark/secrets/tokens.json.`;
const FILE = ['--file <file>', 'the tokens file'] as const;

export function add(program: Program, run: Run): void {
  const group = program
    .command('token')
    .summary('who may use the API')
    .description(ABOUT)
    .addHelpText(
      'after',
      examples('token create --name ci --role operator --clusters orders', 'token list', 'token revoke ci'),
    );
  group
    .command('create')
    .description('Makes a token and prints it to standard output, once: only its hash is kept.')
    .option('--name <name>', 'of the token, as records and audit lines will show it')
    .option(
      '--role <role>',
      'viewer (looks), operator (starts, cancels, deletes, plans), admin (registers clusters, storages)',
    )
    .option('--clusters <ids>', "separated by commas, or '*' (in quotes, because of the shell) for all")
    .option(
      '--label <name=value>',
      'also every cluster that has this label; given several times, it must have all of them',
      toTexts,
    )
    .option(
      '--expires <when>',
      '90d, 12h, 4w from now, or a date such as 2027-01-31 or 2027-01-31T18:00:00Z; left out: never',
    )
    .option(...FILE)
    .addHelpText(
      'after',
      examples(
        'token create --name ci --role operator --clusters orders,stock',
        "token create --name sre --role admin --clusters '*' --expires 90d",
        'token create --name shop --role viewer --label env=prod --label team=shop',
      ),
    )
    .action(({ file, ...options }) =>
      run(async (session) => {
        const dependencies = ofFile(file, session);
        await createToken(toNewToken(options, dependencies.now), dependencies);
      }),
    );
  group
    .command('list')
    .description('Lists the tokens; it shows none of them.')
    .option(...FILE)
    .addHelpText('after', examples('token list'))
    .action(({ file }) => run((session) => listTokens(ofFile(file, session))));
  group
    .command('revoke')
    .description('Revokes a token; the gateway refuses it a second later at most.')
    .argument('<token>', 'its id or its name')
    .option(...FILE)
    .addHelpText('after', examples('token revoke ci'))
    .action((which, { file }) => run((session) => revokeToken(which, ofFile(file, session))));
}

function ofFile(
  named: string | undefined,
  { env, folder, repository, output, tell, stop }: Session,
): TokenDependencies {
  const file = named ?? env.TIDEMARK_TOKENS_FILE;
  return {
    file: file === undefined ? join(repository, '.tidemark', 'secrets', 'tokens.json') : resolve(folder, file),
    named: file !== undefined,
    output,
    tell,
    stop,
    now: Date.now(),
  };
}
