/** The half of a bare pair that speaks HTTP: Fastify asks the other half for a record over gRPC. */
import { Client, credentials } from '@grpc/grpc-js';
import { fastify } from 'fastify';
import { GET_RECORD } from './bare-rpc.ts';
import { floorReady, floorSettings } from './floor.ts';

/** What this floor is told. */
export interface BarePairSettings {
  /** Of the other half. */
  readonly address: string;
}

const { address } = await floorSettings<BarePairSettings>();
const records = new Client(address, credentials.createInsecure());

function getRecord(id: string): Promise<object | undefined> {
  const { path, requestSerialize, responseDeserialize } = GET_RECORD;
  return new Promise((resolve, reject) =>
    records.makeUnaryRequest(path, requestSerialize, responseDeserialize, id, (error, record) =>
      error ? reject(error) : resolve(record),
    ),
  );
}

const app = fastify();
app.get<{ Params: { id: string } }>('/backups/:id', async ({ params }) => ({
  code: 0,
  message: 'OK',
  data: { backup: await getRecord(params.id) },
}));
floorReady({ url: await app.listen({ host: '127.0.0.1', port: 0 }) });
