import { invalidArgument } from '@tidemark/errors/app-error';
import { MAX_SELECTOR, MAX_STORAGE_CLUSTERS, MAX_TOKENS } from '@tidemark/limits/limits';
import { FAR } from '@tidemark/mongo/time-range';
import type {
  CreateTokenRequest,
  CreateTokenResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { newNameProblem, TOKEN_ROLES as ROLES, scopeProblem } from '@tidemark/tokens/tokens-file';
import { registryChanged } from '../events.ts';
import { TOKEN_ROLES, toTokenMessage } from '../token-message.ts';
import { isShortText, validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** Makes a token, whose secret is told this once. */
export function createToken({ tokens, now }: Pick<Dependencies, 'tokens' | 'now'>) {
  return async (
    request: CreateTokenRequest,
    { signal, caller, requestId }: CallContext,
  ): Promise<CreateTokenResponse> => {
    const { name, clusterIds, allClusters, labels, expireTime } = request;
    const role = ROLES.find((one) => TOKEN_ROLES[one] === request.role);
    const clusters = allClusters ? ['*'] : [...new Set(clusterIds)];
    const pairs = Object.entries(labels);
    const check = validation();
    const misnamed = newNameProblem(name);
    check.require(misnamed === undefined, 'name', misnamed ?? '');
    check.require(role !== undefined, 'role', `must be one of ${ROLES.join(', ')}`);
    check.require(
      !allClusters || clusterIds.length === 0,
      'clusterIds',
      'must be left out of a token for all clusters',
    );
    check.require(clusterIds.length <= MAX_STORAGE_CLUSTERS, 'clusterIds', `must be at most ${MAX_STORAGE_CLUSTERS}`);
    const problem = scopeProblem(clusters, labels);
    check.require(problem === undefined, 'clusterIds', problem ?? '');
    check.require(
      pairs.length <= MAX_SELECTOR && pairs.flat().every((text) => text !== '' && isShortText(text)),
      'labels',
      `must be at most ${MAX_SELECTOR} labels and their values, none of them empty or too long`,
    );
    check.require(
      expireTime === undefined || (expireTime > now() && expireTime < FAR),
      'expireTime',
      'must be in the future, and before the year 9999',
    );
    check.finish();
    if (!role) throw new Error('a role was not looked at');
    const made = await tokens.create(
      { name, role, clusters, labels, expiresAt: expireTime ?? null, createdBy: caller },
      signal,
    );
    if (!made)
      throw invalidArgument([
        { field: 'name', description: `is of one more than the ${MAX_TOKENS} tokens that there may be` },
      ]);
    registryChanged('create token', made.token._id, caller, requestId);
    return { token: toTokenMessage(made.token), secret: made.secret };
  };
}
