import { ClusterPurpose as PurposeMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';

/** What a cluster is for: only a scratch one holds nothing that anybody needs. */
export type ClusterPurpose = 'production' | 'dr' | 'scratch';

const PURPOSES = {
  production: PurposeMessage.CLUSTER_PURPOSE_PRODUCTION,
  dr: PurposeMessage.CLUSTER_PURPOSE_DR,
  scratch: PurposeMessage.CLUSTER_PURPOSE_SCRATCH,
} as const satisfies Record<ClusterPurpose, PurposeMessage>;

/** @param purpose undefined where a record of an earlier version names none */
export function toPurposeMessage(purpose: ClusterPurpose | undefined): PurposeMessage {
  return purpose === undefined ? PurposeMessage.CLUSTER_PURPOSE_UNSPECIFIED : PURPOSES[purpose];
}

/** The purpose that a message names, production where it names none; undefined for one that there is not. */
export function fromPurposeMessage(message: PurposeMessage): ClusterPurpose | undefined {
  if (message === PurposeMessage.CLUSTER_PURPOSE_UNSPECIFIED) return 'production';
  return (Object.keys(PURPOSES) as ClusterPurpose[]).find((purpose) => PURPOSES[purpose] === message);
}

/** From the one that is guarded most. */
const STRICTEST: readonly ClusterPurpose[] = ['production', 'dr', 'scratch'];

/** The strictest of some purposes; production where a record names none, or one that there is not. */
export function strictestOf(purposes: readonly (ClusterPurpose | undefined)[]): ClusterPurpose {
  const known = purposes.map((purpose) => STRICTEST.find((one) => one === purpose) ?? 'production');
  return STRICTEST.find((purpose) => known.includes(purpose)) ?? 'production';
}
