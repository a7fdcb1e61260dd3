import { invalidArgument } from '@tidemark/errors/app-error';
import { MAX_RECEIVERS } from '@tidemark/limits/limits';
import { requireRevision } from '@tidemark/mongo/expected-revision';
import type {
  PutReceiverRequest,
  PutReceiverResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { receiverSaved } from '../events.ts';
import type { Receiver } from '../notification/decide/receiver.ts';
import { toReceiverMessage } from '../notification/receiver-message.ts';
import { toAsked } from '../notification/receiver-request.ts';
import type { NotificationDependencies } from './notification-context.ts';

/** Saves a receiver whole. Whether its secrets are there is found out when something is sent: a test says it. */
export function putReceiver({ receivers, now }: NotificationDependencies) {
  return async (
    { receiver, validateOnly = false, revision }: PutReceiverRequest,
    { caller, requestId, callId, signal }: CallContext,
  ): Promise<PutReceiverResponse> => {
    if (!receiver) throw invalidArgument([{ field: 'receiver', description: 'must be set' }]);
    const { id } = receiver;
    const asked = toAsked(receiver);
    const next = (before: Receiver | undefined): Receiver | undefined => {
      // Its answer was lost, and this is its repeat.
      if (before?.savedIn === callId) return undefined;
      requireRevision(`Receiver ${id}`, revision, before);
      const at = now();
      return {
        ...asked,
        _id: id,
        createTime: before?.createTime ?? at,
        updateTime: at,
        updatedBy: caller,
        revision: (before?.revision ?? 0) + 1,
        savedIn: callId,
      };
    };
    const stored = await receivers.list(signal);
    if (stored.length >= MAX_RECEIVERS && !stored.some(({ _id }) => _id === id))
      throw invalidArgument([
        { field: 'id', description: `would be one more than ${MAX_RECEIVERS} receivers; delete one first` },
      ]);
    if (validateOnly) {
      const before = stored.find(({ _id }) => _id === id);
      const wouldBe = next(before) ?? before;
      return { receiver: wouldBe && toReceiverMessage(wouldBe) };
    }
    const saved = await receivers.change(id, next, signal);
    receiverSaved(id, caller, requestId);
    return { receiver: saved && toReceiverMessage(saved) };
  };
}
