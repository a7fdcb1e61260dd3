import { AppError } from '@tidemark/errors/app-error';
import type { BeatStore } from '../notification/beat-store.ts';
import type { Delivery } from '../notification/decide/delivery.ts';
import type { Receiver } from '../notification/decide/receiver.ts';
import type { DeliveryStore } from '../notification/delivery-store.ts';
import type { ReceiverStore } from '../notification/receiver-store.ts';
import type { Quarantines } from '../quarantines.ts';

/** What the handlers of notifications work with. */
export interface NotificationDependencies {
  readonly receivers: ReceiverStore;
  readonly deliveries: DeliveryStore;
  readonly beats: BeatStore;
  /** Tries a receiver once, and waits for how that goes. */
  readonly tryOut: (receiver: Receiver, signal: AbortSignal) => Promise<Delivery>;
  readonly quarantines: Pick<Quarantines, 'receivers' | 'deliveries'>;
  /** Database time. */
  readonly now: () => Date;
}

export function unknownReceiver(id: string): AppError {
  return new AppError('receiver_not_found', `There is no receiver ${id} of notifications.`);
}
