/** The half of a bare pair that has the database: a gRPC server that answers the record of a document. */
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { MongoClient } from 'mongodb';
import type { StoredDocument } from '../../documents.ts';
import { bareRecord } from './bare-record.ts';
import { GET_RECORD } from './bare-rpc.ts';
import { floorReady, floorSettings } from './floor.ts';

/** What this floor is told. */
export interface BareRecordsSettings {
  readonly mongodbUrl: string;
  readonly database: string;
}

const settings = await floorSettings<BareRecordsSettings>();
const client = new MongoClient(settings.mongodbUrl);
const backups = client.db(settings.database).collection<StoredDocument>('backups');

const server = new Server();
server.addService(
  { getRecord: GET_RECORD },
  {
    getRecord: ({ request }: ServerUnaryCall<string, object>, answer: sendUnaryData<object>) =>
      void backups.findOne({ _id: request }).then(
        (backup) => answer(null, bareRecord(backup ?? {})),
        (error: Error) => answer(error),
      ),
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  floorReady({ address: `127.0.0.1:${port}` });
});
