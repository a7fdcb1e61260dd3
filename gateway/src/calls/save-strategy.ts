import { namesRule } from './find-rule.ts';
import type { Steps } from './steps.ts';

export const saveStrategy: Steps<'saveStrategy'> = {
  audit: ({ createOnly }) => (createOnly ? 'create strategy' : 'save strategy'),
  names: ({ rule, createOnly }) => (createOnly ? { rule } : namesRule(rule)),
};
