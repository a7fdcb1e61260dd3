import { ID } from '@tidemark/limits/id';
import { MAX_NAME } from '@tidemark/limits/limits';
import { z } from 'zod';
import { ROLES } from '../../identity/caller.ts';
import type { Operation } from '../operation.ts';
import { Id, leftOut, required } from '../validate.ts';
import { NoData, time } from './common.ts';

const CLUSTER_OR_ALL = new RegExp(`^(\\*|${ID})$`);
const A_NAME = `must be a text of 1 to ${MAX_NAME} characters that can be seen`;
const A_ROLE = `must be one of ${ROLES.join(', ')}`;
const SOME_CLUSTERS = 'must be a list of ids of clusters, or ["*"]';
const SOME_LABELS = 'must be an object of labels and their values, such as {"env":"prod"}';
const A_TIME = 'must be a time such as 2027-01-31T00:00:00Z';

const Body = z.strictObject(
  {
    name: required(z.string(A_NAME)).describe('What it is called in records and audit lines.'),
    role: required(z.enum(ROLES, A_ROLE)),
    clusters: z
      .array(z.string(SOME_CLUSTERS).regex(CLUSTER_OR_ALL, SOME_CLUSTERS), SOME_CLUSTERS)
      .refine((clusters) => clusters.length < 2 || !clusters.includes('*'), SOME_CLUSTERS)
      .nullish()
      .describe(
        'Ids of the clusters that it is for, or `["*"]` for all. For a caller who is limited to some: these, where it is left out.',
      ),
    labels: z
      .record(z.string(), z.string(SOME_LABELS), SOME_LABELS)
      .nullish()
      .describe('It is for all clusters with all of these, too; only for callers who see all clusters.'),
    expireTime: leftOut(z.iso.datetime({ offset: true, error: A_TIME })).describe(
      'When it expires; left out, it does not.',
    ),
  },
  'is not known: a token has name, role, clusters, labels and expireTime',
);

/** A token, without its secret. */
export const Token = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum([...ROLES, 'unknown']),
    clusters: z.array(z.string()).describe('Ids, or `*` for all.'),
    labels: z.record(z.string(), z.string()),
    expireTime: z.string().optional().describe('Absent: it does not expire.'),
    createTime: time('When it was made.'),
    createdBy: z.string().describe('The token that made it.'),
  })
  .meta({ id: 'Token', description: 'A token that was made by a call.' });
export type TokenView = z.infer<typeof Token>;

const TOKEN: TokenView = {
  id: '3f9c0a51b2de4c7a90d15c22',
  name: 'ci',
  role: 'operator',
  clusters: ['test-tidb'],
  labels: {},
  expireTime: '2027-01-31T00:00:00.000Z',
  createTime: '2026-01-06T08:00:00.000Z',
  createdBy: 'admin',
};

export const createToken = {
  id: 'createToken',
  tag: 'Tokens',
  call: 'createToken',
  summary: 'Makes a token',
  description:
    'The answer has its secret, this once: only a hash is kept. An admin who is limited to some clusters makes tokens for these alone.',
  body: Body,
  bodyExamples: {
    'for a cluster': { name: 'ci', role: 'operator', clusters: ['test-tidb'], expireTime: '2027-01-31T00:00:00Z' },
    'for all': { name: 'sre', role: 'admin', clusters: ['*'] },
  },
  answer: {
    data: z.object({ token: Token, secret: z.string().describe('What its bearer sends.') }),
    example: { token: TOKEN, secret: 'tdms_…' },
  },
  errors: ['cluster_not_found'],
} as const satisfies Operation;

export const listTokens = {
  id: 'listTokens',
  tag: 'Tokens',
  call: 'listTokens',
  summary: 'The tokens that were made by calls',
  description:
    'By name; for an admin of some clusters those that are for none but these. Tokens of the file of hashed tokens are not among them.',
  answer: { data: z.object({ tokens: z.array(Token) }), example: { tokens: [TOKEN] } },
} as const satisfies Operation;

export const revokeToken = {
  id: 'revokeToken',
  tag: 'Tokens',
  call: 'revokeToken',
  summary: 'Takes a token back',
  description: 'It is refused within 5 seconds, and its streams end within a heartbeat after that.',
  params: z.object({ tokenId: Id.describe('The token.') }),
  answer: { data: NoData, example: {} },
  errors: ['token_not_found'],
} as const satisfies Operation;
