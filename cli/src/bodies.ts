/** What would be sent to register something as it is: the answer about it, without what only answers have. Pure. */
import type { Cluster, ClusterBody, Receiver, ReceiverBody, Storage, StorageBody } from './api-types.ts';

/** Drops what is empty, which is left out of a body. */
function given<Fields extends object>(fields: Fields): Fields {
  const isEmpty = (value: unknown) =>
    value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value))) as Fields;
}

export function clusterBody(cluster: Cluster): ClusterBody {
  const { id: _, createTime: __, updateTime: ___, revision: ____, purpose, brOptions, tls, ...fields } = cluster;
  return {
    ...given(fields),
    // They are asked for in any case.
    pd: fields.pd,
    storageId: fields.storageId,
    ...(purpose !== 'Unknown' && { purpose }),
    ...(brOptions && { brOptions: given(brOptions) }),
    ...(tls && { tls: given(tls) }),
  };
}

export function storageBody(storage: Storage): StorageBody {
  const { id: _, bin: __, createTime: ___, updateTime: ____, revision: _____, ...fields } = storage;
  return given(fields) as StorageBody;
}

export function receiverBody(receiver: Receiver): ReceiverBody {
  const { id: _, revision: __, updateTime: ___, updatedBy: ____, ...fields } = receiver;
  return given(fields) as ReceiverBody;
}
