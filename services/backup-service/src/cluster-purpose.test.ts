import { expect, it } from 'vitest';
import { strictestOf } from './cluster-purpose.ts';

it('guards a cluster as the strictest of its registrations, of which a damaged one loosens nothing', () => {
  expect(strictestOf(['scratch', 'dr'])).toBe('dr');
  expect(strictestOf(['scratch', 'production', 'dr'])).toBe('production');
  expect(strictestOf(['scratch'])).toBe('scratch');
  for (const damaged of [undefined, null, 'none'])
    expect(strictestOf(['scratch', damaged as undefined]), String(damaged)).toBe('production');
});
