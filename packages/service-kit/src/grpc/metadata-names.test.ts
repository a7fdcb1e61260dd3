import { Metadata } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { CALLER, decodeCaller, encodeCaller } from './metadata-names.ts';

it.each(['ci', 'npm start', 'Jürgen Weiß', '100%', '%C3%BC', '渡辺', '😀', 'a@b.example'])(
  'carries the name %s through metadata, which takes printable ASCII',
  (name) => {
    const metadata = new Metadata();
    metadata.set(CALLER, encodeCaller(name));
    expect(decodeCaller(String(metadata.get(CALLER)[0]))).toBe(name);
  },
);

it('leaves plain names as they are, and does not fail at what it never wrote', () => {
  expect(encodeCaller('npm start')).toBe('npm start');
  expect(decodeCaller('50% more')).toBe('50% more');
  expect(encodeCaller('\ud800')).toBe('%EF%BF%BD');
});
