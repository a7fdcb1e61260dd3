import { BackupMeta, MetaFile } from '@tidemark/protocol/br/backup';
import { expect, test } from 'vitest';

// The synthetic vectors of br-contract section 6: what this package writes with is what they were made for.

const META =
  '088180a882bb85988b63120822382e352e30220a308180f099f097ef80065a1b42520a52656c656173652056657273696f6e3a20' +
  '76382e352e300a60016a230a210a1d6261636b75706d6574612e6461746166696c652e303030303030303031583a72220a200a1b' +
  '6261636b75706d6574612e736368656d612e303030303030303032588001a2010454727565c801cb1b';
const DATA_FILES =
  '12190a0d312f615f77726974652e7373745205777269746558e807121d0a0f342f625f64656661756c742e737374520764656661756c7458a912';
const SCHEMAS =
  '1a7e0a487b226964223a322c2264625f6e616d65223a7b224f223a2273686f70222c224c223a2273686f70227d2c226368617273' +
  '6574223a22757466386d6234222c227374617465223a357d122d7b226964223a3130342c226e616d65223a7b224f223a226f7264' +
  '657273222c224c223a226f7264657273227d7d200328ac02';

const bytes = (hex: string) => Buffer.from(hex, 'hex');

test('backupmeta reads and writes as in the contract', () => {
  const meta = BackupMeta.decode(bytes(META));
  expect(meta).toMatchObject({
    clusterId: 7140000000000000001n,
    clusterVersion: '"8.5.0"\n',
    endVersion: 432834567783317505n,
    version: 1,
    backupSize: 3531n,
  });
  expect(meta.fileIndex?.metaFiles[0]).toMatchObject({ name: 'backupmeta.datafile.000000001', size: 58n });
  expect(Buffer.from(BackupMeta.encode(meta).finish()).toString('hex')).toBe(META);
});

test('the files beside it too', () => {
  const { dataFiles } = MetaFile.decode(bytes(DATA_FILES));
  expect(dataFiles.map(({ name, cf, size }) => [name, cf, size])).toEqual([
    ['1/a_write.sst', 'write', 1000n],
    ['4/b_default.sst', 'default', 2345n],
  ]);
  const [schema] = MetaFile.decode(bytes(SCHEMAS)).schemas;
  expect(JSON.parse(String(schema?.db)).db_name.O).toBe('shop');
  expect(JSON.parse(String(schema?.table)).name.O).toBe('orders');
  expect([schema?.totalKvs, schema?.totalBytes]).toEqual([3n, 300n]);
});
