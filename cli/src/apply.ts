/**
 * Compares files with what is there, and makes that as they say.
 *
 * Nothing is changed before every document was read, held to the API's own schemas and compared. What was changed by somebody else
 * between the comparison and its own change is left alone.
 */
import { type Api, ApiError, answered, found } from './api.ts';
import type { ClusterBody, FleetStrategySettings, StorageBody, StrategySettings } from './api-types.ts';
import { clusterBody, storageBody } from './bodies.ts';
import { type Change, changesOf } from './difference.ts';
import { CommandError, EXIT } from './exit.ts';
import { KINDS, nameOf, type Wanted } from './manifest.ts';

export interface Planned {
  readonly wanted: Wanted;
  readonly action: 'create' | 'change' | 'none';
  readonly changes: readonly Change[];
  /** What tells one standing of it from another; nothing where it is not there. */
  readonly standing: string | undefined;
}

interface Standing {
  readonly body: Readonly<Record<string, unknown>>;
  readonly standing: string;
  readonly revision?: number;
}

/** What is to be done, in the order in which it can be. @throws CommandError naming every document that does not fit */
export async function plan(wanted: readonly Wanted[], api: Api): Promise<Planned[]> {
  const ordered = [...wanted].sort((one, other) => KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind));
  const problems: string[] = [];
  const planned: Planned[] = [];
  for (const one of ordered)
    try {
      planned.push(await compare(one, api));
    } catch (error) {
      problems.push(toSentence(error, one));
    }
  if (problems.length > 0) throw new CommandError(`${problems.join('\n')}\nNothing was changed.`, EXIT.usage);
  return planned;
}

async function compare(wanted: Wanted, api: Api): Promise<Planned> {
  const is = await standingOf(wanted, api);
  if (wanted.revision !== undefined && is && is.revision !== wanted.revision)
    throw new CommandError(`It is at revision ${is.revision}, and the file is about revision ${wanted.revision}.`);
  const body = is ? await proposed(wanted, api) : wanted.body;
  const changes = changesOf(wanted, is?.body, body);
  return { wanted, action: is ? (changes.length > 0 ? 'change' : 'none') : 'create', changes, standing: is?.standing };
}

/** A rule as the API would save it, which thereby looks at it as if it did. */
async function proposed({ kind, id, rule = '', body }: Wanted, api: Api): Promise<Wanted['body']> {
  if (kind !== 'Strategy') return body;
  const path = { clusterId: id, rule };
  const call = api.POST('/clusters/{clusterId}/strategies/{rule}/preview', {
    params: { path },
    body: { strategy: body as StrategySettings, count: 1 },
  });
  const { strategy } = (await answered(call)).data;
  // What the file leaves out stays, and is no change.
  return Object.fromEntries(Object.keys(body).map((field) => [field, strategy[field as keyof typeof strategy]]));
}

async function standingOf({ kind, id, rule = '' }: Wanted, api: Api): Promise<Standing | undefined> {
  switch (kind) {
    case 'Storage': {
      const answer = await found(api.GET('/storages/{storageId}', { params: { path: { storageId: id } } }));
      return answer && { body: { ...storageBody(answer.data.storage) }, standing: answer.data.storage.updateTime };
    }
    case 'Cluster': {
      const answer = await found(api.GET('/clusters/{clusterId}', { params: { path: { clusterId: id } } }));
      return answer && { body: { ...clusterBody(answer.data.cluster) }, standing: answer.data.cluster.updateTime };
    }
    case 'FleetStrategy': {
      const answer = await found(api.GET('/strategies/{name}', { params: { path: { name: id } } }));
      return answer && ofStrategy(answer.data.strategy);
    }
    case 'Strategy': {
      const path = { clusterId: id, rule };
      const answer = await found(api.GET('/clusters/{clusterId}/strategies/{rule}', { params: { path } }));
      // The documented rule is answered as it would be, also where nobody saved it.
      return answer && answer.data.strategy.revision > 0 ? ofStrategy(answer.data.strategy) : undefined;
    }
  }
}

const ofStrategy = (strategy: { readonly revision: number }): Standing => ({
  body: { ...strategy },
  standing: String(strategy.revision),
  revision: strategy.revision,
});

/** Makes one thing as its document says. @throws CommandError, with its place in the file */
export async function carryOut({ wanted, standing }: Planned, api: Api): Promise<void> {
  try {
    if ((await standingOf(wanted, api))?.standing !== standing)
      throw new CommandError('Somebody changed it meanwhile; it was left as it is. Compare again.');
    await save(wanted, api);
  } catch (error) {
    throw new CommandError(toSentence(error, wanted), error instanceof CommandError ? error.exitCode : EXIT.failed);
  }
}

async function save({ kind, id, rule = '', body }: Wanted, api: Api): Promise<unknown> {
  switch (kind) {
    case 'Storage':
      return answered(
        api.PUT('/storages/{storageId}', { params: { path: { storageId: id } }, body: body as StorageBody }),
      );
    case 'Cluster': {
      const fields = body as unknown as ClusterBody;
      return answered(api.PUT('/clusters/{clusterId}', { params: { path: { clusterId: id } }, body: fields }));
    }
    case 'FleetStrategy': {
      const strategy = body as FleetStrategySettings;
      return answered(api.PUT('/strategies/{name}', { params: { path: { name: id } }, body: { strategy } }));
    }
    case 'Strategy': {
      const path = { clusterId: id, rule };
      const strategy = body as StrategySettings;
      return answered(api.PUT('/clusters/{clusterId}/strategies/{rule}', { params: { path }, body: { strategy } }));
    }
  }
}

/** What went wrong with a document, at the line of the field that the API names. @throws what no document is to blame for */
function toSentence(error: unknown, wanted: Wanted): string {
  if (!(error instanceof CommandError)) throw error;
  const isAnswer = error instanceof ApiError && error.status !== undefined;
  if (error instanceof ApiError && (!isAnswer || error.exitCode === EXIT.denied || error.passing)) throw error;
  const [bad] = error instanceof ApiError ? error.fields : [];
  const path =
    bad?.field
      .replace(/^(strategy|cluster|storage)\./, '')
      .split(/[.[\]]+/)
      .filter(Boolean) ?? [];
  return `${wanted.at(path)}: ${nameOf(wanted)}: ${error.message}`;
}
