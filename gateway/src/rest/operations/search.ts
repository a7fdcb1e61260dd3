import { rulesOf } from '@tidemark/contract/rules';
import { MAX_HITS, MAX_HITS_OF_A_KIND, MIN_SEARCH_TEXT } from '@tidemark/limits/limits';
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { required } from '../validate.ts';
import { time } from './common.ts';

const KIND_NAMES = ['cluster', 'strategy', 'rule', 'storage', 'backup', 'restore', 'unknown'] as const;
export type SearchKindName = (typeof KIND_NAMES)[number];

const TEXT = rulesOf('tidemark.backup.v1.SearchRequest', 'text');
const A_TEXT = `must be one text of ${MIN_SEARCH_TEXT} to ${TEXT.maxLength} characters`;
const Kind = z.enum(KIND_NAMES).meta({
  id: 'SearchKind',
  description: '`strategy`: one for all clusters with certain labels; `rule`: one that a cluster has of its own.',
});

/** Something that was found. */
export const SearchHit = z
  .object({
    kind: Kind,
    id: z.string(),
    clusterId: z
      .string()
      .optional()
      .describe('Whose it is; of a restore, its target. Absent of storages and of strategies.'),
    title: z.string().describe('What it is, in a line.'),
    time: time('When it began, or was registered or saved.'),
    exact: z.boolean().describe('Its id, or the name of the cluster, is the text itself.'),
  })
  .meta({ id: 'SearchHit', description: 'Something that was found.' });
export type SearchHitView = z.infer<typeof SearchHit>;

const HIT: SearchHitView = {
  kind: 'backup',
  id: 'h6IhUQh-Q32MDOfcVieYgA',
  clusterId: 'test-tidb',
  title: 'Succeeded',
  time: '2026-01-05T23:00:00.000Z',
  exact: false,
};

export const search = {
  id: 'search',
  tag: 'Search',
  call: 'search',
  summary: 'What has an id, or one that begins so',
  description: `Clusters (also by their names), strategies for labels, rules, storages, backups and restores, as far as the caller may see them: what is the text itself first, then by kind and id; at most ${MAX_HITS_OF_A_KIND} of a kind, and ${MAX_HITS} in all. Capital and small letters are told apart, but for clusters. Rules are found by name, but for the default one. A parameter that is not known is a 400.`,
  query: z.object({
    text: required(z.string(A_TEXT).max(TEXT.maxLength, A_TEXT)).meta({
      description: `An id or name, from its beginning: ${MIN_SEARCH_TEXT} to ${TEXT.maxLength} characters. Blanks around it do not count.`,
      example: 'test-t',
    }),
  }),
  answer: {
    data: z.object({
      hits: z.array(SearchHit),
      more: z.boolean().describe('There is more that begins so: a longer text finds it.'),
      incomplete: z
        .array(Kind)
        .describe('What could not be looked for, because a service did not answer; the same call may find it later.'),
    }),
    example: { hits: [HIT], more: false, incomplete: [] },
  },
} as const satisfies Operation;
