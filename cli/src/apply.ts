/**
 * Compares files with what is there, and makes that as they say.
 *
 * Nothing is changed before every document was read, held to the API's own schemas, tried by a dry run and compared. Each change
 * is one of the revision that was compared: what somebody else saved since is left alone.
 */
import { type Api, ApiError, found } from './api.ts';
import { clusterBody, storageBody } from './bodies.ts';
import { type Change, changesOf } from './difference.ts';
import { faultsOf, put, tryOut } from './dry-run.ts';
import { CommandError, EXIT, UsageError } from './exit.ts';
import { KINDS, nameOf, type Wanted } from './manifest.ts';

export interface Planned {
  readonly wanted: Wanted;
  readonly action: 'create' | 'change' | 'none';
  readonly changes: readonly Change[];
  /** At which it is; 0 where it is not there. */
  readonly revision: number;
}

interface Standing {
  readonly body: Readonly<Record<string, unknown>>;
  readonly revision: number;
}

/**
 * What is to be done, in the order in which it can be.
 *
 * @throws CommandError naming every document that does not fit; `denied` where each is refused to the token
 */
export async function plan(wanted: readonly Wanted[], api: Api): Promise<Planned[]> {
  const ordered = [...wanted].sort((one, other) => KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind));
  const planned: Planned[] = [];
  const faults = new Map<Wanted, CommandError>();
  // What the files make or change, by its name: others may name it before it is there.
  const brought = new Map(ordered.map((one) => [nameOf(one), one]));
  for (const one of ordered)
    try {
      if (one.problems.length > 0) faults.set(one, new UsageError(one.problems.join('\n')));
      else {
        const next = await compare(one, api, brought);
        if (next.action === 'none') brought.delete(nameOf(one));
        planned.push(next);
      }
    } catch (error) {
      faults.set(one, toFault(error, one));
    }
  if (faults.size === 0) return planned;
  const told = wanted.flatMap((one) => faults.get(one) ?? []);
  const denied = told.every(({ exitCode }) => exitCode === EXIT.denied);
  const sentences = told.map(({ message }) => message);
  throw new CommandError([...sentences, 'Nothing was changed.'].join('\n'), denied ? EXIT.denied : EXIT.usage);
}

async function compare(wanted: Wanted, api: Api, brought: ReadonlyMap<string, Wanted>): Promise<Planned> {
  const is = await standingOf(wanted, api);
  const revision = wanted.revision ?? is?.revision ?? 0;
  const wouldBe = await tryOut(wanted, revision, api, brought);
  const changes = changesOf(wanted, is?.body, is ? wouldBe : wanted.body);
  return { wanted, action: is ? (changes.length > 0 ? 'change' : 'none') : 'create', changes, revision };
}

async function standingOf({ kind, id, rule = '' }: Wanted, api: Api): Promise<Standing | undefined> {
  switch (kind) {
    case 'Storage': {
      const answer = await found(api.GET('/storages/{storageId}', { params: { path: { storageId: id } } }));
      return answer && { body: { ...storageBody(answer.data.storage) }, revision: answer.data.storage.revision };
    }
    case 'Cluster': {
      const answer = await found(api.GET('/clusters/{clusterId}', { params: { path: { clusterId: id } } }));
      return answer && { body: { ...clusterBody(answer.data.cluster) }, revision: answer.data.cluster.revision };
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
  revision: strategy.revision,
});

/** Makes one thing as its document says. @throws CommandError, with its place in the file */
export async function carryOut({ wanted, revision }: Planned, api: Api): Promise<void> {
  try {
    await put(wanted, api, { revision });
  } catch (error) {
    throw toFault(error, wanted);
  }
}

/** What went wrong with a document, each at its line. @throws what no document is to blame for */
function toFault(error: unknown, wanted: Wanted): CommandError {
  if (!(error instanceof CommandError)) throw error;
  const isRefusal = error instanceof ApiError && error.status !== undefined && error.status !== 401 && !error.passing;
  if (error instanceof ApiError && !isRefusal) throw error;
  const faults = error instanceof ApiError ? faultsOf(error, wanted) : [{ path: [], sentence: error.message }];
  const lines = faults.map(({ path, sentence }) => `${wanted.at(path)}: ${nameOf(wanted)}: ${sentence}`);
  return new CommandError(lines.join('\n'), error.exitCode);
}
