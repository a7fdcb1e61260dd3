import { ClusterPurpose } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';

export const PURPOSES = {
  production: ClusterPurpose.PRODUCTION,
  dr: ClusterPurpose.DR,
  scratch: ClusterPurpose.SCRATCH,
} as const;
type Name = keyof typeof PURPOSES;
export const PURPOSE_NAMES = ['production', 'dr', 'scratch'] as const satisfies Name[];

/** The name of a purpose; undefined where none is set, `Unknown` for one that a newer service knows. */
export function purposeOf(purpose: ClusterPurpose): Name | 'Unknown' | undefined {
  if (purpose === ClusterPurpose.UNSPECIFIED) return undefined;
  return PURPOSE_NAMES.find((name) => PURPOSES[name] === purpose) ?? 'Unknown';
}
