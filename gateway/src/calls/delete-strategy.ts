import { DEFAULT_RULE, namesRule } from './find-rule.ts';
import { requireRule } from './require-cluster.ts';
import { type Steps, unless } from './steps.ts';

export const deleteStrategy: Steps<'deleteStrategy'> = {
  names: ({ rule }) => namesRule(rule),
  check: ({ rule }) =>
    unless(rule !== '', 'rule', `must be set, such as "${DEFAULT_RULE}": rules are deleted one by one`),
  prepare: ({ clusterId, rule }, acting) => requireRule(clusterId, rule, acting),
};
