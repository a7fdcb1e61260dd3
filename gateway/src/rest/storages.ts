import type { MessageInitShape } from '@bufbuild/protobuf';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import type { Storage, StorageSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import { authorizeAll } from '../authorize.ts';
import { success } from './envelope.ts';
import { timeOf } from './legacy-record.ts';
import * as operations from './operations/storages.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { NAME_CREDENTIALS, readStorageUrl } from './storage-url.ts';
import { bodyObject, parse } from './validate.ts';

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

type WithStorage = { Params: { storageId: string } };

/** Where backups are written; for admins. */
export function storageRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { registry } = dependencies.backends;

  app.get('/storages', { config: { operation: operations.listStorages } }, async (request) => {
    authorizeAll(request.caller, 'listStorages');
    const { storages } = await registry.listStorages({}, callOptions(request, dependencies));
    return success({ storages: storages.map(toStorageView) });
  });

  app.get<WithStorage>('/storages/:storageId', { config: { operation: operations.getStorage } }, async (request) => {
    authorizeAll(request.caller, 'getStorage');
    const { storageId } = parse(operations.getStorage.params, request.params);
    const { storage } = await registry.getStorage({ id: storageId }, callOptions(request, dependencies));
    return success({ storage: storage && toStorageView(storage) });
  });

  app.put<WithStorage>(
    '/storages/:storageId',
    { config: { audit: 'put storage', operation: operations.putStorage } },
    async (request) => {
      const { storageId } = parse(operations.getStorage.params, request.params);
      request.audited = { storageId };
      authorizeAll(request.caller, 'putStorage');
      const storage = { ...toStorage(bodyObject(request.body)), id: storageId };
      const stored = await registry.putStorage({ storage }, callOptions(request, dependencies));
      return success({ storage: stored.storage && toStorageView(stored.storage) });
    },
  );

  app.delete<WithStorage>(
    '/storages/:storageId',
    { config: { audit: 'delete storage', operation: operations.deleteStorage } },
    async (request) => {
      const { storageId } = parse(operations.getStorage.params, request.params);
      request.audited = { storageId };
      authorizeAll(request.caller, 'deleteStorage');
      await registry.deleteStorage({ id: storageId }, callOptions(request, dependencies));
      return success({});
    },
  );
}

function toStorage(body: Record<string, unknown>): MessageInitShape<typeof StorageSchema> {
  refuseSecrets(body);
  const { url, ...rest } = body;
  const fields = url === undefined ? rest : { ...rest, ...readStorageUrl(parse(operations.StorageUrl, { url }).url) };
  const {
    type,
    root = '',
    maxConcurrent = 0,
    sendCredentialsToTikv,
    credentials,
    ...location
  } = parse(operations.StorageFields, fields);
  const where = Object.fromEntries(Object.entries(location).filter(([, value]) => value !== null));
  return {
    root,
    maxConcurrent,
    // What the schema let through for a type is what its message has.
    location: { case: type, value: where } as MessageInitShape<typeof StorageSchema>['location'] & object,
    ...(typeof sendCredentialsToTikv === 'boolean' && { sendCredentialsToTikv }),
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

function toStorageView({ location, credentials, ...storage }: Storage): operations.StorageView {
  const { id, root, maxConcurrent, sendCredentialsToTikv = true, createTime, updateTime } = storage;
  const source = credentials?.source;
  return {
    id,
    type: location.case ?? '',
    ...toLocationView(location),
    ...(source?.case && { credentials: { [source.case]: source.value } }),
    ...(location.case !== 'local' && { sendCredentialsToTikv }),
    root,
    maxConcurrent,
    createTime: timeOf(createTime),
    updateTime: timeOf(updateTime),
  };
}

/** What is set of where a storage is. */
function toLocationView({ value }: Storage['location']): object {
  const { $typeName: _, ...fields } = value ?? { $typeName: '' };
  return Object.fromEntries(Object.entries(fields).filter(([, set]) => set !== '' && set !== undefined));
}
