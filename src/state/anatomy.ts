import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import type { LayerTensors } from '../clip/layerTensors.ts';
import type { TextProjection } from '../clip/weights.ts';
import type { WeightRow, WeightRowPart } from '../engine/inspect.ts';
import type { LoraUse, ModelInfo } from '../worker/messages.ts';
import type { Facts, Inspection, Task } from './facts.ts';
import { memoised } from './memoised.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';
import { outputsOf } from './passPlan.ts';
import { shownChunk, usedLoras } from './reading.ts';

export interface AnatomyActions {
  /** Reads tensors back, in place of those before. Returns how to stop it, for when nobody looks any more. */
  inspect(inspection: Inspection): () => void;
  /** Reads the projection beside the encoder in use; null where its file has none. Rejects as the file's reader does. */
  readProjection(): Promise<TextProjection | null>;
  /** Reads one row of a weight, with the LoRAs that the inspection had. Rejects as the encoder does. */
  weightRow(inspection: Inspection, part: WeightRowPart, row: number): Promise<WeightRow>;
}

const inspectionOf = memoised(
  ({ config }: ModelInfo, pass: EncoderPass, loras: readonly LoraUse[], layer: number): Inspection => ({
    config,
    pass,
    loras,
    layer,
  }),
);

/**
 * The tensors to read back for the pictures of this layer, the same object as long as they are the same; undefined while the
 * chunk on show is not encoded, so that nothing keeps an encode waiting.
 */
export function wantedInspection(facts: Facts, layer: number): Inspection | undefined {
  const chunk = shownChunk(facts);
  if (!facts.model || facts.lost !== null || !chunk || !outputsOf(facts).get(passKey(chunk.pass))?.output.attentions)
    return undefined;
  return inspectionOf(facts.model, chunk.pass, usedLoras(facts), layer);
}

/** Reads back tensors of one layer at a time. */
export function anatomyActions({ client, get, set }: Pick<Page, 'client' | 'get' | 'set'>): AnatomyActions {
  let current = new AbortController();
  return {
    inspect(inspection) {
      current.abort();
      const own = new AbortController();
      current = own;
      if (get().inspected?.inspection === inspection) return () => own.abort();
      const put = (task: Task<LayerTensors>) =>
        current === own && !own.signal.aborted && set({ inspected: { inspection, task } });
      const { pass, layer, loras } = inspection;
      client.inspect(pass, layer, { loras, signal: own.signal }).then(
        (result) => put({ phase: 'done', result }),
        (error: unknown) => put({ phase: 'failed', message: messageOf(error) }),
      );
      return () => own.abort();
    },
    readProjection: () => client.projection(),
    weightRow: ({ layer, loras }, part, row) => client.weightRow(layer, part, row, loras),
  };
}
