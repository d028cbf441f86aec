import { useFacts } from './useFacts.ts';

/** In place of a picture that needs the encoder. */
export function Waiting({ what }: { what: string }) {
  const adapter = useFacts((s) => s.adapter.phase);
  const hasModel = useFacts((s) => s.model !== null);
  const loading = useFacts((s) => s.loading !== null);
  return (
    <p className="waiting muted">
      {adapter === 'missing'
        ? `${what} comes from the encoder, which needs WebGPU.`
        : loading || adapter === 'starting'
          ? `${what} will be here when the weights are loaded.`
          : hasModel
            ? `${what} will be here when the first prompt is encoded.`
            : `${what} needs a model: choose or open one.`}
    </p>
  );
}
