import { expect, it } from 'vitest';
import { anything, queryOf } from './query.ts';

it('a changed filter begins with the first page, and keeps the others', () => {
  const query = queryOf('/', '?label=env%3Dprod&label=zone%3Da&after=xyz');
  expect(query.all('label')).toEqual(['env=prod', 'zone=a']);
  expect(query.with('text', 'or ders')).toBe('/?label=env%3Dprod&label=zone%3Da&text=or+ders');
  expect(query.with('after', 'uvw')).toBe('/?label=env%3Dprod&label=zone%3Da&after=uvw');
  expect(query.with('label', '')).toBe('/');
});

it('a value is added, and taken away when it is there', () => {
  const query = queryOf('/', '?verdict=late');
  expect(query.toggled('verdict', 'never')).toBe('/?verdict=late&verdict=never');
  expect(query.toggled('verdict', 'late')).toBe('/');
});

it('what of the address filters nothing is known by its name and value', () => {
  const query = queryOf('/', '?state=Failed&state=Faild&text=a&constructor=b');
  expect(query.passedOver({ state: (value) => value === 'Failed', text: anything })).toEqual([
    'state=Faild',
    'constructor=b',
  ]);
});
