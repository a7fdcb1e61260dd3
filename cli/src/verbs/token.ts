import { open, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Option } from '@commander-js/extra-typings';
import { TOKEN_ROLES } from '@tidemark/tokens/tokens-file';
import { type Api, ApiError, answered } from '../api.ts';
import type { Token, TokenBody } from '../api-types.ts';
import { confirmByName } from '../confirm.ts';
import { CommandError, UsageError } from '../exit.ts';
import { examples, labelsOf, type Program, toId, toIds, toLabel, toTexts } from '../options.ts';
import type { Run, Session } from '../session.ts';
import type { Column } from '../table.ts';
import { when } from '../text.ts';
import { createToken, listTokens, revokeToken, scopeOf, type TokenDependencies } from '../token.ts';
import { toNewToken, toTime } from '../token-options.ts';

const ABOUT = `Who may use Tidemark's API: tokens that are made, listed and revoked by calls.

"token file" does the same in a file of hashed tokens, where Tidemark need not run.`;
const ABOUT_FILE = `A file of hashed tokens, which the gateway reads again by itself when it changes.

The file is --file, else TIDEMARK_TOKENS_FILE, else what npm start uses: .tidemark/secrets/tokens.json.`;
const NOT_FOUND = 404;
const FILE = ['--file <file>', 'the tokens file'] as const;
const NAME = ['--name <name>', 'of the token, as records and audit lines will show it'] as const;
const ROLE = 'viewer (looks), operator (starts, cancels, deletes, plans), admin (registers clusters, storages)';
const CLUSTERS = ['--clusters <ids>', "separated by commas, or '*' (in quotes, because of the shell) for all"] as const;
const LABEL = 'also every cluster that has this label; given several times, it must have all of them';
const EXPIRES = [
  '--expires <when>',
  '90d, 12h, 4w from now, or a date such as 2027-01-31 or 2027-01-31T18:00:00Z; left out: never',
] as const;

const COLUMNS: readonly Column<Token>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'NAME', of: ({ name }) => name },
  { title: 'ROLE', of: ({ role }) => role },
  { title: 'CLUSTERS', of: scopeOf },
  { title: 'EXPIRES', of: endOf, style: (token) => (isOver(token) ? 'dim' : undefined) },
  { title: 'MADE', of: ({ createTime }) => when(createTime), wide: true },
  { title: 'BY', of: ({ createdBy }) => createdBy, wide: true },
];

const isOver = ({ expireTime }: Token): boolean => expireTime !== undefined && Date.parse(expireTime) <= Date.now();

function endOf(token: Token): string {
  if (token.expireTime === undefined) return 'never';
  return isOver(token) ? `is over since ${when(token.expireTime)}` : when(token.expireTime);
}

export function add(program: Program, run: Run): void {
  const group = program
    .command('token')
    .summary('who may use the API')
    .description(ABOUT)
    .addHelpText(
      'after',
      examples('token create ci --role operator --cluster orders --expires 90d', 'token list', 'token file list'),
    );
  group
    .command('create')
    .description('Makes a token and prints it to standard output, once: only its hash is kept.')
    .argument('[name]', 'of the token, as records and audit lines will show it')
    .addOption(new Option('--role <role>', ROLE).choices(TOKEN_ROLES))
    .option(
      '--cluster <id>',
      "a cluster that it is for; may be given again, and '*' is all. Left out by an admin of some clusters: these",
      toClusters,
    )
    .option('--label <name=value>', LABEL, toLabel)
    .option(...EXPIRES)
    .option('--secret-file <file>', 'writes it to a new file with mode 0600, and prints the id in its place')
    .addOption(new Option(...NAME).hideHelp())
    .addOption(new Option(...CLUSTERS).hideHelp())
    .addOption(new Option(...FILE).hideHelp())
    .addHelpText(
      'after',
      examples(
        'token create ci --role operator --cluster orders --cluster stock --expires 90d',
        "token create sre --role admin --cluster '*' --secret-file sre.token",
        'token create shop --role viewer --label env=prod --label team=shop',
      ),
    )
    .action((name, { name: nameInFile, clusters, file, cluster, secretFile, ...options }) =>
      run(async (session) => {
        // As it was called before there were tokens made by calls.
        if (nameInFile !== undefined || clusters !== undefined || file !== undefined) {
          if (name !== undefined || cluster !== undefined || secretFile !== undefined)
            throw new UsageError(
              '--name, --clusters and --file are of the tokens file: "token file create --help" tells of them.',
            );
          return await createInFile(file, { ...options, name: nameInFile, clusters }, session);
        }
        const { role, label, expires } = options;
        if (name === undefined || role === undefined)
          throw new UsageError('Say the name of the token and its --role. token create --help tells the rest.');
        const expireTime =
          expires === undefined ? undefined : toTime(expires, Date.now(), 'token create').toISOString();
        const body = {
          ...{ name, role },
          ...(cluster && { clusters: cluster }),
          ...(label && { labels: labelsOf(label) }),
          ...(expireTime !== undefined && { expireTime }),
        };
        await createByCall(body, secretFile, session);
      }),
    );
  group
    .command('list')
    .description('Lists the tokens that were made by calls; it shows none of them.')
    .addOption(new Option(...FILE).hideHelp())
    .addHelpText('after', examples('token list', 'token list -o wide'))
    .action(({ file }) =>
      run(async (session) => {
        if (file !== undefined) return await listTokens(ofFile(file, session));
        const { api, output } = session;
        const { data } = await answered(api.GET('/tokens'));
        await output.list(data, data.tokens, COLUMNS);
      }),
    );
  group
    .command('revoke')
    .description('Revokes a token that was made by a call; it is refused within 5 seconds.')
    .argument('<id>', 'its id')
    .option('--yes', 'do not ask')
    .addOption(new Option(...FILE).hideHelp())
    .addHelpText('after', examples('token revoke 3f9c0a51b2de4c7a90d15c22'))
    .action((which, { file, yes }) =>
      run((session) =>
        file === undefined ? revokeByCall(toId(which), yes, session) : revokeToken(which, ofFile(file, session)),
      ),
    );
  const ofAFile = group.command('file').summary('tokens of a file').description(ABOUT_FILE);
  ofAFile
    .command('create')
    .description('Makes a token and prints it to standard output, once: only its hash is kept in the file.')
    .option(...NAME)
    .option('--role <role>', ROLE)
    .option(...CLUSTERS)
    .option('--label <name=value>', LABEL, toTexts)
    .option(...EXPIRES)
    .option(...FILE)
    .addHelpText(
      'after',
      examples(
        'token file create --name ci --role operator --clusters orders,stock',
        "token file create --name sre --role admin --clusters '*' --expires 90d",
        'token file create --name shop --role viewer --label env=prod --label team=shop',
      ),
    )
    .action(({ file, ...options }) => run((session) => createInFile(file, options, session)));
  ofAFile
    .command('list')
    .description('Lists the tokens of the file; it shows none of them.')
    .option(...FILE)
    .addHelpText('after', examples('token file list'))
    .action(({ file }) => run((session) => listTokens(ofFile(file, session))));
  ofAFile
    .command('revoke')
    .description('Takes a token out of the file; the gateway refuses it a second later at most.')
    .argument('<token>', 'its id or its name')
    .option(...FILE)
    .addHelpText('after', examples('token file revoke ci'))
    .action((which, { file }) => run((session) => revokeToken(which, ofFile(file, session))));
}

/** @throws UsageError */
function toClusters(text: string, before: readonly string[] = []): string[] {
  return text === '*' ? [...before, text] : toIds(text, before);
}

async function createInFile(
  file: string | undefined,
  options: Parameters<typeof toNewToken>[0],
  session: Session,
): Promise<void> {
  const dependencies = ofFile(file, session);
  await createToken(toNewToken(options, dependencies.now), dependencies);
}

/** The file is there before the token is: a secret that cannot be kept is not made. */
async function createByCall(
  body: TokenBody,
  secretFile: string | undefined,
  { api, output, tell, folder }: Session,
): Promise<void> {
  if (secretFile === undefined) {
    const made = await create(api, body);
    tell(`Made the token ${made.token.name} (${made.token.id}): ${made.token.role} of ${scopeOf(made.token)}.`);
    tell('This is shown once and cannot be found again:');
    await output.word(made, made.secret);
    return;
  }
  const path = resolve(folder, secretFile);
  const handle = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(
      error.code === 'EEXIST'
        ? `${secretFile} is there already: it is not written over.`
        : `${secretFile} cannot be written (${error.code}).`,
    );
  });
  let isWritten = false;
  try {
    const { token, secret } = await create(api, body);
    await handle.writeFile(`${secret}\n`).catch((error: NodeJS.ErrnoException) => {
      throw new CommandError(
        `${secretFile} could not be written (${error.code}), and the secret is lost: token revoke ${token.id} takes the token back.`,
      );
    });
    isWritten = true;
    tell(`Made the token ${token.name} (${token.id}); its secret is in ${secretFile}.`);
    await output.word({ token }, token.id);
  } finally {
    await handle.close();
    if (!isWritten) await rm(path);
  }
}

async function revokeByCall(tokenId: string, yes: boolean | undefined, session: Session): Promise<void> {
  const { api, output, tell } = session;
  await confirmByName(
    tokenId,
    `This revokes the token ${tokenId}: whoever uses it is refused from then on.`,
    yes,
    session,
  );
  const call = answered(api.DELETE('/tokens/{tokenId}', { params: { path: { tokenId } } }));
  const { data } = await call.catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === NOT_FOUND)) throw error;
    throw new CommandError(`${error.message} One of the file is revoked by: tidemark token file revoke ${tokenId}`);
  });
  await output.record(data, []);
  if (output.isTable) tell(`Revoked the token ${tokenId}; it is refused 5 seconds from now at the latest.`);
}

async function create(api: Api, body: TokenBody): Promise<{ readonly token: Token; readonly secret: string }> {
  return (await answered(api.POST('/tokens', { body }))).data;
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
