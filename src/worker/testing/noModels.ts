import type { EncoderClient } from '../client.ts';

/** What a client does that has nothing stored and nowhere to download from. */
export const noModels: Pick<EncoderClient, 'models' | 'download' | 'deleteModel'> = {
  models: async () => ({ place: 'memory', models: [], free: null, persisted: false }),
  download: () => Promise.reject(new Error('There is nothing to download from.')),
  deleteModel: async () => ({ place: 'memory', models: [], free: null, persisted: false }),
};
