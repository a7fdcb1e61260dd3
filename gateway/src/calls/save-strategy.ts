import { namesRule } from './find-rule.ts';
import type { Steps } from './steps.ts';

export const saveStrategy: Steps<'saveStrategy'> = {
  audit: ({ validateOnly, createOnly }) =>
    validateOnly ? undefined : createOnly ? 'create strategy' : 'save strategy',
  names: ({ rule, createOnly }) => (createOnly ? { rule } : namesRule(rule)),
};
