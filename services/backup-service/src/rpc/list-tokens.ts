import {
  type ListTokensRequest,
  type ListTokensResponse,
  Token,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readable } from '@tidemark/service-kit/quarantine';
import { isWithin, toTokenMessage } from '../token-message.ts';
import type { Dependencies } from './context.ts';

/** The tokens that are for none but some clusters, or all of them. One that cannot be read is left out. */
export function listTokens({ tokens, quarantines }: Pick<Dependencies, 'tokens' | 'quarantines'>) {
  return async ({ clusterIds }: ListTokensRequest, { signal }: CallContext): Promise<ListTokensResponse> => {
    const all = await tokens.list(signal);
    const shown = readable(
      quarantines.tokens,
      all,
      (token) => ({ message: toTokenMessage(token), isShown: isWithin(token, clusterIds) }),
      { encode: ({ message }) => Token.encode(message) },
    );
    return { tokens: shown.flatMap(({ message: { message, isShown } }) => (isShown ? [message] : [])) };
  };
}
