import { layerNorm } from '../../clip/reference.ts';
import type { WeightSource } from '../../clip/weights.ts';
import { createReferenceEncoder } from '../../engine/testing/referenceBackend.ts';
import type { AnalysisEncoder } from '../analysisEncoder.ts';

/** Answers analyses by the float64 loops of clip/reference.ts, without clip skip. */
export async function referenceAnalysis(source: WeightSource): Promise<AnalysisEncoder> {
  const encoder = await createReferenceEncoder(source);
  const { config, finalLayerNorm } = encoder;
  const [weight, bias] = [finalLayerNorm.weight, finalLayerNorm.bias].map((values) => Float64Array.from(values));
  const all = Array.from({ length: config.numHiddenLayers + 1 }, (_, i) => i);
  const encode = async (passes: Parameters<typeof encoder.encode>[0]) =>
    (await encoder.encode(passes, { hiddenStates: all, attentions: false })).outputs;
  return {
    config,
    rows: async (passes) => (await encode(passes)).map(({ lastHiddenState }) => lastHiddenState),
    states: async (passes) =>
      (await encode(passes)).map(({ hiddenStates }) => all.map((state) => hiddenStates.get(state)!)),
    finalNorm: (rows) => layerNorm(Float64Array.from(rows), weight, bias, config.layerNormEps),
    layer: (pass, layer) => encoder.inspect(pass, layer),
    project: (layer, attended) => encoder.project(layer, attended),
    resume: async (pass, layer, given) => (await encoder.resume(pass, layer, given, [])).lastHiddenState,
  };
}
