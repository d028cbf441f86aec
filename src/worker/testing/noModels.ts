import type { EncoderClient } from '../client.ts';

/** What a client does that has nothing stored, nowhere to download from and no LoRAs. */
export const noModels: Pick<EncoderClient, 'models' | 'download' | 'deleteModel' | 'addLora' | 'removeLora'> = {
  addLora: () => Promise.reject(new Error('There are no LoRAs.')),
  removeLora() {},
  models: async () => ({ place: 'memory', models: [], free: null, persisted: false }),
  download: () => Promise.reject(new Error('There is nothing to download from.')),
  deleteModel: async () => ({ place: 'memory', models: [], free: null, persisted: false }),
};
