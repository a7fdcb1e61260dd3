import type { Storage } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { authorizeAll } from '../authorize.ts';
import { success } from './envelope.ts';
import { timeOf } from './legacy-record.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { bodyObject, Id, leftOut, parse, wholeNumber } from './validate.ts';

const Body = z.object({
  type: z.literal('local', 'must be "local": other storages are not supported yet'),
  path: z.string('must be an absolute folder').max(1_024, 'must be at most 1024 characters'),
  root: leftOut(z.string('must be a text').max(256, 'must be at most 256 characters')),
  maxConcurrent: leftOut(wholeNumber(0, 1_000)),
});

type WithStorage = { Params: { storageId: string } };

/** Where backups are written; for admins. */
export function storageRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { registry } = dependencies.backends;

  app.get('/storages', async (request) => {
    authorizeAll(request.caller, 'listStorages');
    const { storages } = await registry.listStorages({}, callOptions(request, dependencies));
    return success({ storages: storages.map(toStorageView) });
  });

  app.get<WithStorage>('/storages/:storageId', async (request) => {
    authorizeAll(request.caller, 'getStorage');
    const { storageId } = parse(z.object({ storageId: Id }), request.params);
    const { storage } = await registry.getStorage({ id: storageId }, callOptions(request, dependencies));
    return success({ storage: storage && toStorageView(storage) });
  });

  app.put<WithStorage>('/storages/:storageId', { config: { audit: 'put storage' } }, async (request) => {
    const { storageId } = parse(z.object({ storageId: Id }), request.params);
    request.audited = { storageId };
    authorizeAll(request.caller, 'putStorage');
    const { path, root = '', maxConcurrent = 0 } = parse(Body, bodyObject(request.body));
    const { storage } = await registry.putStorage(
      { storage: { id: storageId, root, maxConcurrent, location: { case: 'local', value: { path } } } },
      callOptions(request, dependencies),
    );
    return success({ storage: storage && toStorageView(storage) });
  });

  app.delete<WithStorage>('/storages/:storageId', { config: { audit: 'delete storage' } }, async (request) => {
    const { storageId } = parse(z.object({ storageId: Id }), request.params);
    request.audited = { storageId };
    authorizeAll(request.caller, 'deleteStorage');
    await registry.deleteStorage({ id: storageId }, callOptions(request, dependencies));
    return success({});
  });
}

function toStorageView({ id, location, root, maxConcurrent, createTime, updateTime }: Storage): object {
  return {
    id,
    type: location.case ?? '',
    path: location.value?.path ?? '',
    root,
    maxConcurrent,
    createTime: timeOf(createTime),
    updateTime: timeOf(updateTime),
  };
}
