import { AppError } from '@tidemark/errors/app-error';
import type {
  RevokeTokenRequest,
  RevokeTokenResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { registryChanged } from '../events.ts';
import { isWithin } from '../token-message.ts';
import type { Dependencies } from './context.ts';

/** Takes a token back. @throws AppError `token_not_found`, also for one that is for more than the clusters named */
export function revokeToken({ tokens }: Pick<Dependencies, 'tokens'>) {
  return async (
    { id, clusterIds }: RevokeTokenRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<RevokeTokenResponse> => {
    const token = clusterIds.length === 0 ? undefined : await tokens.get(id, signal);
    const isVisible = clusterIds.length === 0 || (token !== undefined && isWithin(token, clusterIds));
    if (!isVisible || !(await tokens.remove(id, signal)))
      throw new AppError('token_not_found', `There is no token ${id} that was made by a call.`);
    registryChanged('revoke token', id, caller, requestId);
    return {};
  };
}
