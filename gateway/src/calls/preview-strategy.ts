import { DEFAULT_RULE } from './find-rule.ts';
import { requireRule } from './require-cluster.ts';
import { type Steps, unless } from './steps.ts';
import { clusterOfRule } from './storage-access.ts';

export const DEFAULT_STARTS = 10;

export const previewStrategy: Steps<'previewStrategy'> = {
  check: ({ clusterId, rule, proposal }) => [
    ...unless(
      !proposal || proposal.clusterId === '' || proposal.clusterId === clusterId,
      'proposal.clusterId',
      'must be left out or be the cluster of the request',
    ),
    ...unless(
      !proposal || proposal.rule === '' || proposal.rule === (rule || DEFAULT_RULE),
      'proposal.rule',
      'must be left out or be the rule of the request',
    ),
  ],
  async prepare(request, acting) {
    const { clusterId, proposal } = request;
    request.count ||= DEFAULT_STARTS;
    request.rule ||= DEFAULT_RULE;
    if (!proposal) return requireRule(clusterId, request.rule, acting);
    const target = { clusterId, rule: request.rule, storageId: proposal.storageId };
    const cluster = await clusterOfRule(target, acting.scope, acting.dependencies);
    proposal.defaultTimeZone = cluster?.timeZone ?? '';
  },
};
