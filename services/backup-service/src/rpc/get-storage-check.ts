import type {
  GetStorageCheckRequest,
  GetStorageCheckResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toCheckMessage } from '../storage-check-message.ts';
import type { Dependencies } from './context.ts';
import { unknownCheck } from './refusals.ts';

/** A probe or a rebuild as it is now. */
export function getStorageCheck({ checks }: Dependencies) {
  return async ({ id }: GetStorageCheckRequest, { signal }: CallContext): Promise<GetStorageCheckResponse> => {
    const check = await checks.get(id, signal);
    if (!check) throw unknownCheck(id);
    return { check: toCheckMessage(check, await checks.parts(id, signal)) };
  };
}
