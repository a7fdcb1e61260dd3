import { expect, it } from 'vitest';
import { lookBack } from './look-back.ts';

const NOW = new Date('2026-11-28T12:00:00Z');
const hoursBack = (notBefore?: Date) => [...lookBack(NOW, notBefore)].map((after) => (+NOW - +after) / 3_600_000);

it('looks back an hour, then four times as far, up to six weeks', () => {
  expect(hoursBack()).toEqual([1, 4, 16, 64, 256, 1_024]);
});

it('does not look back as far as what was asked for', () => {
  expect(hoursBack(new Date('2026-11-28T07:00:00Z'))).toEqual([1, 4]);
  expect(hoursBack(new Date('2026-11-28T11:00:00Z'))).toEqual([]);
  expect(hoursBack(new Date('2030-01-01T00:00:00Z'))).toEqual([]);
});
