/** Has the API look at what a document says as if it were saved. */

import { ERRORS } from '@tidemark/errors/codes';
import { type Api, ApiError, answered } from './api.ts';
import type { ClusterBody, FleetStrategySettings, StorageBody, StrategySettings } from './api-types.ts';
import { clusterBody, storageBody } from './bodies.ts';
import { nameOf, type Wanted } from './manifest.ts';

type Fields = Readonly<Record<string, unknown>>;

const UNKNOWN_CLUSTER = ERRORS.cluster_not_found.number;
const UNKNOWN_STORAGE = ERRORS.storage_not_found.number;

/**
 * Tries a document, for the revision at which its thing is. That it names what the same files bring is no fault.
 *
 * @param brought what they make or change, by its name
 * @returns its fields as they would be saved, as far as that is known by now
 * @throws ApiError as a save would
 */
export async function tryOut(
  wanted: Wanted,
  revision: number,
  api: Api,
  brought: ReadonlyMap<string, Wanted>,
): Promise<Fields> {
  try {
    return await put(wanted, api, { revision, validateOnly: true });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { kind, id, body } = wanted;
    const storageId = typeof body.storageId === 'string' ? body.storageId : '';
    const cluster = kind === 'Strategy' ? brought.get(nameOf({ kind: 'Cluster', id })) : undefined;
    const bringsStorage = brought.has(nameOf({ kind: 'Storage', id: storageId }));
    const waitsForCluster = error.number === UNKNOWN_CLUSTER && cluster !== undefined;
    const waitsForStorage =
      error.number === UNKNOWN_STORAGE && storageId !== '' && (bringsStorage || cluster !== undefined);
    if (!waitsForCluster && !waitsForStorage) throw error;
    // Which storages it may use is decided by the cluster as the files have it.
    if (cluster && storageId !== '' && !bringsStorage) await requireUsable(storageId, cluster, api);
    // Of a registration the storage is what is looked at last; of a strategy there may be more to tell.
    if (kind === 'Cluster' || waitsForCluster) return body;
    const elsewhere = { ...wanted, body: { ...body, storageId: '' } };
    return { ...(await tryOut(elsewhere, revision, api, brought)), storageId };
  }
}

/** @throws ApiError where the cluster, as a document has it, may not use a storage */
async function requireUsable(storageId: string, cluster: Wanted, api: Api): Promise<void> {
  try {
    await put({ ...cluster, body: { ...cluster.body, storageId } }, api, { validateOnly: true });
  } catch (error) {
    // Whatever else is wrong with the cluster is told with its own document.
    if (!(error instanceof ApiError) || error.number === UNKNOWN_STORAGE) throw error;
  }
}

/** Saves what a document says, or only tries to. @returns its fields as they are then. @throws ApiError */
export async function put(
  { kind, id, rule = '', body }: Wanted,
  api: Api,
  query: { readonly revision?: number; readonly validateOnly?: true },
): Promise<Fields> {
  switch (kind) {
    case 'Storage': {
      const params = { path: { storageId: id }, query };
      const { data } = await answered(api.PUT('/storages/{storageId}', { params, body: body as StorageBody }));
      return { ...storageBody(data.storage) };
    }
    case 'Cluster': {
      const params = { path: { clusterId: id }, query };
      const fields = body as unknown as ClusterBody;
      const { data } = await answered(api.PUT('/clusters/{clusterId}', { params, body: fields }));
      return { ...clusterBody(data.cluster) };
    }
    case 'FleetStrategy': {
      const params = { path: { name: id }, query };
      const strategy = body as FleetStrategySettings;
      const { data } = await answered(api.PUT('/strategies/{name}', { params, body: { strategy } }));
      return namedIn(body, data.strategy);
    }
    case 'Strategy': {
      const params = { path: { clusterId: id, rule }, query };
      const strategy = body as StrategySettings;
      const call = api.PUT('/clusters/{clusterId}/strategies/{rule}', { params, body: { strategy } });
      return namedIn(body, (await answered(call)).data.strategy);
    }
  }
}

/** What a file leaves out of a strategy stays, and is no change. */
function namedIn(body: Fields, strategy: object): Fields {
  return Object.fromEntries(Object.keys(body).map((field) => [field, (strategy as Fields)[field]]));
}

/** A part of a document that does not do, and why. */
export interface Fault {
  /** Of names and places in lists; of the whole where it is empty. */
  readonly path: readonly string[];
  readonly sentence: string;
}

/** What a failure says about a document: each bad field, or what it names. */
export function faultsOf({ number, fields, message }: ApiError, { kind }: Wanted): Fault[] {
  if (number === UNKNOWN_STORAGE) return [{ path: ['storageId'], sentence: message }];
  if (number === UNKNOWN_CLUSTER && kind === 'Strategy') return [{ path: ['clusterId'], sentence: message }];
  if (fields.length === 0) return [{ path: [], sentence: message }];
  return fields.map(({ field, description }) => {
    const own = field.replace(/^(strategy|cluster|storage)\./, '');
    return { path: own.split(/[.[\]]+/).filter(Boolean), sentence: `${own} ${description}.` };
  });
}
