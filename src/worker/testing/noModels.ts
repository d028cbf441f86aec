import type { EncoderClient } from '../client.ts';

/** Calls of a client that has nothing stored, nowhere to download from, nothing to examine or to time and no LoRAs. */
export const noModels: Pick<
  EncoderClient,
  | 'weightsHash'
  | 'models'
  | 'download'
  | 'keep'
  | 'deleteModel'
  | 'examine'
  | 'drift'
  | 'addLora'
  | 'removeLora'
  | 'profile'
  | 'inspect'
  | 'resume'
  | 'project'
  | 'projection'
  | 'weightRow'
> = {
  weightsHash: () => Promise.reject(new Error('There is nothing to hash.')),
  addLora: () => Promise.reject(new Error('There are no LoRAs.')),
  removeLora() {},
  profile: () => Promise.reject(new Error('There is nothing to time.')),
  inspect: () => Promise.reject(new Error('There is nothing to inspect.')),
  resume: () => Promise.reject(new Error('There is nothing to go on from.')),
  project: () => Promise.reject(new Error('There are no weights.')),
  projection: async () => null,
  weightRow: () => Promise.reject(new Error('There are no weights.')),
  models: async () => ({ place: 'memory', models: [], free: null, persisted: false }),
  download: () => Promise.reject(new Error('There is nothing to download from.')),
  keep: () => Promise.reject(new Error('There is nowhere to keep it.')),
  examine: () => Promise.reject(new Error('There is nothing to examine.')),
  drift: () => Promise.reject(new Error('There is nothing to compare.')),
  deleteModel: async () => ({ place: 'memory', models: [], free: null, persisted: false }),
};
