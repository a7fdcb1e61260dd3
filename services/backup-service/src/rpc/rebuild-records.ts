import type {
  RebuildRecordsRequest,
  RebuildRecordsResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toCheckMessage } from '../storage-check-message.ts';
import { acceptCheck } from './accept-check.ts';
import type { Dependencies } from './context.ts';

/** Lets a worker look for manifests; unless asked to apply, it only says which records are missing. */
export function rebuildRecords(dependencies: Dependencies) {
  return async (
    { storageId, pool, apply }: RebuildRecordsRequest,
    context: CallContext,
  ): Promise<RebuildRecordsResponse> => {
    const kind = apply ? 'rebuild' : 'rebuildDryRun';
    return { check: toCheckMessage(await acceptCheck(dependencies, { kind, storageId, pool }, context)) };
  };
}
