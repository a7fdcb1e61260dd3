import { expect, it } from 'vitest';
import { queryOf } from './query.ts';

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
