import { DEFAULT_RULE, findRule } from './find-rule.ts';
import { type Steps, unless } from './steps.ts';

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
    request.count ||= DEFAULT_STARTS;
    request.rule ||= DEFAULT_RULE;
    const { clusterId, rule, proposal } = request;
    // The default rule is there with its cluster, of which the service says whether that is there.
    if (!proposal && rule !== DEFAULT_RULE) await findRule(acting.scope, acting.dependencies, clusterId, rule);
  },
};
