/** A token as people ask for one. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type CreateTokenRequestSchema,
  type Token,
  TokenRole,
} from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { labelOf } from './fleet-words.ts';
import type { Same } from './shell.ts';

/** What each may do, in the words of the API. */
export const ROLES = [
  ['viewer', TokenRole.VIEWER, 'looks'],
  ['operator', TokenRole.OPERATOR, 'starts, cancels, deletes and plans backups, too'],
  ['admin', TokenRole.ADMIN, 'restores, registers clusters and storages, and makes tokens, too'],
] as const;
export type RoleName = (typeof ROLES)[number][0];

export interface TokenForm {
  readonly name: string;
  readonly role: RoleName;
  /** Ids, separated by commas, or `*`. */
  readonly clusters: string;
  /** `key=value`, separated by commas. */
  readonly labels: string;
  /** As inputs of a moment have it, in the reader's zone; empty is never. */
  readonly expires: string;
}

export const NEW_TOKEN: TokenForm = { name: '', role: 'viewer', clusters: '', labels: '', expires: '' };

const parts = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const labelsOf = ({ labels }: TokenForm) =>
  Object.fromEntries(parts(labels).flatMap((part) => [labelOf(part) ?? [part, '']]));

export function requestOf(form: TokenForm): MessageInitShape<typeof CreateTokenRequestSchema> {
  const clusters = parts(form.clusters);
  return {
    name: form.name,
    role: ROLES.find(([name]) => name === form.role)?.[1] ?? TokenRole.UNSPECIFIED,
    clusterIds: clusters.filter((id) => id !== '*'),
    allClusters: clusters.includes('*'),
    labels: labelsOf(form),
    ...(form.expires !== '' && { expireTime: timestampFromMs(new Date(form.expires).getTime()) }),
  };
}

/** The same over REST and on the command line. */
export function sameCreate(form: TokenForm): Same {
  const clusters = parts(form.clusters);
  const labels = labelsOf(form);
  const expireTime = form.expires === '' ? undefined : new Date(form.expires).toISOString();
  return {
    method: 'POST',
    path: '/tokens',
    body: {
      name: form.name || 'ci',
      role: form.role,
      ...(clusters.length > 0 && { clusters }),
      ...(Object.keys(labels).length > 0 && { labels }),
      ...(expireTime !== undefined && { expireTime }),
    },
    tidemark: [
      ...['token', 'create', form.name || 'ci', '--role', form.role],
      ...clusters.flatMap((id) => ['--cluster', id]),
      ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
      ...(expireTime === undefined ? [] : ['--expires', expireTime]),
    ],
  };
}

/** What a token is for, in words. */
export function scopeOf({
  allClusters,
  clusterIds,
  labels,
}: Pick<Token, 'allClusters' | 'clusterIds' | 'labels'>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  if (allClusters) return 'all clusters';
  return [...clusterIds, ...(pairs.length > 0 ? [`all with ${pairs.join(', ')}`] : [])].join(', ');
}

export function roleName(role: TokenRole): string {
  return ROLES.find(([, value]) => value === role)?.[0] ?? 'unknown';
}
