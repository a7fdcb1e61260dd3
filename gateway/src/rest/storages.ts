import type { MessageInitShape } from '@bufbuild/protobuf';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import type { Storage, StorageSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { timeOf } from './legacy-states.ts';
import * as operations from './operations/storages.ts';
import { route } from './route.ts';
import { saveOptions } from './save-query.ts';
import { NAME_CREDENTIALS, readStorageUrl } from './storage-url.ts';
import { bodyObject, parse, parseQuery } from './validate.ts';

/** Fields that somebody may send in good faith, however they spell them, and that must not travel. */
const SECRET_FIELDS = [
  'accesskey',
  'accesskeyid',
  'secretaccesskey',
  'secretkey',
  'sessiontoken',
  'accountkey',
  'sastoken',
  'encryptionkey',
  'credentialsfile',
  'password',
];

/** Where backups are written; for admins. */
export function storageRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  const STORAGE = '/storages/:storageId';

  route(app, dependencies, {
    method: 'GET',
    path: '/storages',
    operation: operations.listStorages,
    toRequest({ request }) {
      parseQuery(operations.listStorages.query, request.query);
      return {};
    },
    toView({ storages }, { query }) {
      if (query.page === undefined && query.pageSize === undefined)
        return { data: { storages: storages.map(toStorageView) } };
      const { page = 1, pageSize = DEFAULT_PAGE_SIZE } = query;
      const shown = storages.slice((page - 1) * pageSize, page * pageSize);
      return { data: { storages: shown.map(toStorageView) }, page: { page, pageSize, total: storages.length } };
    },
  });

  route(app, dependencies, {
    method: 'GET',
    path: STORAGE,
    operation: operations.getStorage,
    toRequest: ({ params }) => ({ id: params.storageId }),
    toView: ({ storage }) => ({ data: { storage: storage && toStorageView(storage) } }),
  });

  route(app, dependencies, {
    method: 'PUT',
    path: STORAGE,
    operation: operations.putStorage,
    toRequest: ({ params, query, request }) => ({
      ...saveOptions(query),
      storage: { ...toStorage(bodyObject(request.body)), id: params.storageId },
    }),
    toView: ({ storage }) => ({ data: { storage: storage && toStorageView(storage) } }),
  });

  route(app, dependencies, {
    method: 'DELETE',
    path: STORAGE,
    operation: operations.deleteStorage,
    toRequest: ({ params }) => ({ id: params.storageId }),
    toView: () => ({ data: {} }),
  });
}

function toStorage(body: Record<string, unknown>): MessageInitShape<typeof StorageSchema> {
  refuseSecrets(body);
  const { url, ...rest } = body;
  const fields = url === undefined ? rest : { ...rest, ...readStorageUrl(parse(operations.StorageUrl, { url }).url) };
  const {
    type,
    root = '',
    maxConcurrent = 0,
    trashDays = 0,
    manifestKeys,
    gone = false,
    sendCredentialsToTikv,
    credentials,
    usableBy,
    ...location
  } = parse(operations.StorageFields, fields);
  const where = Object.fromEntries(Object.entries(location).filter(([, value]) => value !== null));
  return {
    root,
    maxConcurrent,
    trashDays,
    manifestKeys: manifestKeys ?? [],
    gone,
    // What the schema let through for a type is what its message has.
    location: { case: type, value: where } as MessageInitShape<typeof StorageSchema>['location'] & object,
    ...(typeof sendCredentialsToTikv === 'boolean' && { sendCredentialsToTikv }),
    ...(usableBy && { usableBy: { clusters: usableBy.clusters ?? [], labels: usableBy.labels ?? {} } }),
    ...(credentials && {
      credentials: {
        source:
          'file' in credentials
            ? { case: 'file', value: credentials.file }
            : { case: 'envPrefix', value: credentials.envPrefix },
      },
    }),
  };
}

function refuseSecrets(body: Record<string, unknown>): void {
  const violations = Object.entries(body)
    .filter(([field, value]) => SECRET_FIELDS.includes(spelledPlainly(field)) && value !== undefined && value !== null)
    .map(([field]): FieldViolation => ({ field, description: NAME_CREDENTIALS }));
  if (violations.length > 0) throw invalidArgument(violations);
}

/** As BR reads the names of parameters: without regard to capitals, `-` and `_`. */
function spelledPlainly(field: string): string {
  return field.toLowerCase().replaceAll(/[-_.]/g, '');
}

function toStorageView({ location, credentials, usableBy, bin, ...storage }: Storage): operations.StorageView {
  const {
    id,
    root,
    maxConcurrent,
    trashDays,
    manifestKeys,
    gone,
    sendCredentialsToTikv = true,
    createTime,
    updateTime,
    revision,
  } = storage;
  const source = credentials?.source;
  return {
    id,
    type: location.case ?? '',
    ...toLocationView(location),
    ...(source?.case && { credentials: { [source.case]: source.value } }),
    ...(location.case !== 'local' && { sendCredentialsToTikv }),
    root,
    maxConcurrent,
    trashDays,
    manifestKeys,
    ...(bin && { bin: { backups: Number(bin.backups), sizeBytes: Number(bin.sizeBytes) } }),
    gone,
    ...(usableBy && { usableBy: { clusters: usableBy.clusters, labels: usableBy.labels } }),
    createTime: timeOf(createTime),
    updateTime: timeOf(updateTime),
    revision: Number(revision),
  };
}

/** What is set of where a storage is. */
function toLocationView({ value }: Storage['location']): object {
  const { $typeName: _, ...fields } = value ?? { $typeName: '' };
  return Object.fromEntries(Object.entries(fields).filter(([, set]) => set !== '' && set !== undefined));
}
