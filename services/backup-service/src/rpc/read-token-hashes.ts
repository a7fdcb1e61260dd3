import {
  HashedToken,
  type ReadTokenHashesRequest,
  type ReadTokenHashesResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readable } from '@tidemark/service-kit/quarantine';
import { toHashedMessage } from '../token-message.ts';
import type { Dependencies } from './context.ts';

/** All tokens with their hashes; one that cannot be read lets nobody in. */
export function readTokenHashes({ tokens, quarantines }: Pick<Dependencies, 'tokens' | 'quarantines'>) {
  return async (_: ReadTokenHashesRequest, { signal }: CallContext): Promise<ReadTokenHashesResponse> => ({
    tokens: readable(quarantines.tokens, await tokens.list(signal), toHashedMessage, HashedToken).map(
      ({ message }) => message,
    ),
  });
}
