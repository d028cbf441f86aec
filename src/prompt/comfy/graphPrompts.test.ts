import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { ComfyGraphError } from './comfyGraph.ts';
import { readComfyJson } from './comfyJson.ts';
import { graphPrompts } from './graphPrompts.ts';

type Nodes = Readonly<Record<string, readonly [type: string, inputs: Readonly<Record<string, unknown>>]>>;

/** Writes a graph as ComfyUI's server gets it. */
const served = (nodes: Nodes) =>
  JSON.stringify(
    Object.fromEntries(Object.entries(nodes).map(([id, [class_type, inputs]]) => [id, { class_type, inputs }])),
  );
const read = (json: string) => graphPrompts(readComfyJson(json)!);
const of = (nodes: Nodes) => read(served(nodes));

const loader = { 4: ['CheckpointLoaderSimple', { ckpt_name: 'm' }] } as const;
const texts = {
  ...loader,
  6: ['CLIPTextEncode', { text: 'a cat', clip: ['4', 1] }],
  7: ['CLIPTextEncode', { text: 'fog', clip: ['4', 1] }],
} as const;
const both = { positive: 'a cat', negative: 'fog' };

// biome-ignore format: one graph, one line
test.each<[string, Nodes, { positive: string; negative: string }]>([
  ['a sampler', { ...texts, 3: ['KSampler', { positive: ['6', 0], negative: ['7', 0] }] }, both],
  ['a sampler of an extension', { ...texts, 3: ['KSampler (Efficient)', { positive: ['6', 0], negative: ['7', 0], cfg: 7 }] }, both],
  ['no negative', { ...texts, 3: ['KSampler', { positive: ['6', 0] }] }, { ...both, negative: '' }],
  ['a guider', { ...texts, 3: ['SamplerCustomAdvanced', { guider: ['9', 0] }], 9: ['CFGGuider', { positive: ['6', 0], negative: ['7', 0] }] }, both],
  ['a guider of one conditioning', { ...texts, 3: ['SamplerCustomAdvanced', { guider: ['9', 0] }], 9: ['BasicGuider', { conditioning: ['6', 0] }] }, { ...both, negative: '' }],
  ['a guider of two positive ones', { ...texts, 8: ['CLIPTextEncode', { text: 'a dog' }], 3: ['SamplerCustomAdvanced', { guider: ['9', 0] }], 9: ['DualCFGGuider', { cond1: ['6', 0], cond2: ['8', 0], negative: ['7', 0] }] }, { positive: 'a cat\na dog', negative: 'fog' }],
  ['ControlNet', { ...texts, 3: ['KSampler', { positive: ['9', 0], negative: ['9', 1] }], 9: ['ControlNetApplyAdvanced', { positive: ['6', 0], negative: ['7', 0], image: ['4', 0], strength: 1 }] }, both],
  ['ControlNet, its outputs crossed', { ...texts, 3: ['KSampler', { positive: ['9', 1], negative: ['9', 0] }], 9: ['ControlNetApplyAdvanced', { positive: ['6', 0], negative: ['7', 0] }] }, { positive: 'fog', negative: 'a cat' }],
  ['an area, and combined', { ...texts, 8: ['CLIPTextEncode', { text: 'a dog' }], 3: ['KSampler', { positive: ['9', 0], negative: ['7', 0] }], 9: ['ConditioningCombine', { conditioning_1: ['10', 0], conditioning_2: ['8', 0] }], 10: ['ConditioningSetArea', { conditioning: ['6', 0], width: 64 }] }, { positive: 'a cat\na dog', negative: 'fog' }],
  ['concatenated', { ...texts, 3: ['KSampler', { positive: ['9', 0], negative: ['7', 0] }], 9: ['ConditioningConcat', { conditioning_to: ['6', 0], conditioning_from: ['7', 0] }] }, { positive: 'a cat\nfog', negative: 'fog' }],
  ['a reroute', { ...texts, 3: ['KSampler', { positive: ['9', 0], negative: ['7', 0] }], 9: ['Reroute (rgthree)', { '': ['6', 0] }] }, both],
  ['a pipe', { ...texts, 3: ['KSampler (pipe)', { positive: ['9', 0], negative: ['9', 0] }], 9: ['FromBasicPipe', { basic_pipe: ['10', 0] }], 10: ['ToBasicPipe', { positive: ['6', 0], negative: ['7', 0], clip: ['4', 1] }] }, both],
  ['a loader that holds both texts', { 3: ['KSampler', { positive: ['9', 1], negative: ['9', 2] }], 9: ['Efficient Loader', { ckpt_name: 'm', positive: 'a cat', negative: 'fog' }] }, both],
  ['nothing but such a loader', { 9: ['easy a1111Loader', { ckpt_name: 'm', positive: 'a cat', negative: 'fog' }], 10: ['easy kSampler', { pipe: ['9', 0] }] }, both],
  ['zeroed out', { ...texts, 3: ['KSampler', { positive: ['6', 0], negative: ['9', 0] }], 9: ['ConditioningZeroOut', { conditioning: ['6', 0] }] }, { ...both, negative: '' }],
  ['a detailer without a sampler', { ...texts, 3: ['FaceDetailer', { positive: ['6', 0], negative: ['7', 0] }] }, both],
  ['SDXL’s encoder', { 6: ['CLIPTextEncodeSDXL', { text_g: 'a cat on a log', text_l: 'a cat', width: 64 }], 7: ['CLIPTextEncodeSDXL', { text_g: 'fog', text_l: 'fog' }], 3: ['KSampler', { positive: ['6', 0], negative: ['7', 0] }] }, both],
  ['ids that are numbers', { ...texts, 3: ['KSampler', { positive: [6, 0], negative: [7, 0] }] }, both],
  ['one text and no sampler', { 6: ['CLIPTextEncode', { text: 'a cat' }] }, { ...both, negative: '' }],
])('%s', (_, nodes, prompts) => expect(of(nodes).prompts).toEqual(prompts));

// biome-ignore format: one graph, one line
test.each<[string, Nodes, string]>([
  ['a primitive', { 9: ['PrimitiveStringMultiline', { value: 'a cat' }] }, 'a cat'],
  ['a node behind a node', { 9: ['ShowText|pysssss', { text: ['10', 0] }], 10: ['String Literal', { string: 'a cat' }] }, 'a cat'],
  ['a text that was shown', { 9: ['ShowText|pysssss', { text: ['10', 0], text_0: 'a cat' }], 10: ['OllamaGenerate', { model: 'x' }] }, 'a cat'],
  ['wildcards that were filled in', { 9: ['ImpactWildcardProcessor', { wildcard_text: '__animal__', populated_text: 'a cat' }] }, 'a cat'],
  ['two texts joined', { 9: ['StringConcatenate', { string_a: 'a', string_b: ['10', 0], delimiter: ' ' }], 10: ['PrimitiveString', { value: 'cat' }] }, 'a cat'],
  ['several texts joined', { 9: ['Text Concatenate', { delimiter: ' ', text_a: 'a', text_b: 'cat', clean_whitespace: 'true' }] }, 'a cat'],
  ['a node with a single input', { 9: ['Whatever', { x: ['10', 0] }], 10: ['PrimitiveString', { value: 'a cat' }] }, 'a cat'],
])('the text comes from %s', (_, nodes, text) => {
  const graph: Nodes = { ...nodes, 6: ['CLIPTextEncode', { text: ['9', 0] }], 3: ['KSampler', { positive: ['6', 0] }] };
  expect(of(graph).prompts.positive).toBe(text);
});

test('the sampler that begins is taken, and said', () => {
  const two: Nodes = {
    ...texts,
    8: ['CLIPTextEncode', { text: 'a detailed cat' }],
    2: ['KSampler', { positive: ['8', 0], negative: ['7', 0], latent_image: ['9', 0] }],
    9: ['LatentUpscale', { samples: ['5', 0] }],
    5: ['KSampler', { positive: ['6', 0], negative: ['7', 0], latent_image: ['10', 0] }],
    10: ['EmptyLatentImage', { width: 64 }],
  };
  expect(of(two)).toMatchObject({ prompts: both, sampler: { id: '5', type: 'KSampler', among: 2 } });
});

test('clip skip and LoRAs lie between the text and the checkpoint', () => {
  const nodes: Nodes = {
    ...loader,
    3: ['KSampler', { positive: ['6', 0] }],
    6: ['CLIPTextEncode', { text: 'a cat', clip: ['8', 0] }],
    8: ['CLIPSetLastLayer', { stop_at_clip_layer: -2, clip: ['9', 1] }],
    9: ['LoraLoader', { lora_name: 'b.safetensors', strength_model: 1, strength_clip: 0.5, clip: ['10', 1] }],
    10: ['LoraLoader', { lora_name: 'a.safetensors', strength_model: 1, strength_clip: 0, clip: ['11', 1] }],
    11: ['LoraLoader', { lora_name: 'c.safetensors', strength_model: 1, strength_clip: 1, clip: ['4', 1] }],
  };
  expect(of(nodes)).toMatchObject({
    clipSkip: 2,
    loras: [
      { name: 'c.safetensors', strength: 1 },
      { name: 'b.safetensors', strength: 0.5 },
    ],
  });
  expect(of({ ...texts, 3: ['KSampler', { positive: ['6', 0] }] })).toMatchObject({
    clipSkip: 1,
    loras: [],
    fromPage: false,
  });
});

test('what could not be taken as it is, is said', () => {
  const sampler = { 3: ['KSampler', { positive: ['9', 0], negative: ['7', 0] }] } as const;
  const combined: Nodes = {
    ...texts,
    ...sampler,
    9: ['ConditioningCombine', { conditioning_1: ['6', 0], conditioning_2: ['7', 0] }],
  };
  expect(of(combined).remarks).toEqual(['The positive prompt joins 2 texts, which ComfyUI encodes one by one']);
  const made: Nodes = {
    ...texts,
    ...sampler,
    9: ['CLIPTextEncode', { text: ['10', 0] }],
    10: ['OllamaGenerate', { seed: 1 }],
  };
  expect(of(made)).toMatchObject({
    prompts: { positive: '', negative: 'fog' },
    remarks: ['A text is missing: the text of node 10 (OllamaGenerate) is not in the graph'],
  });
});

// biome-ignore format: one graph, one line
test.each<[string, Nodes, RegExp]>([
  ['no sampler', { 1: ['LoadImage', {}] }, /no sampler and no text/],
  ['texts and no sampler', texts, /nothing tells which of its 2 texts/],
  ['a circle', { 3: ['KSampler', { positive: ['9', 0], negative: ['9', 1] }], 9: ['ConditioningCombine', { conditioning_1: ['10', 0], conditioning_2: ['9', 0] }], 10: ['Reroute', { x: ['9', 0] }] }, /node 9 \(ConditioningCombine\) leads back to itself/],
  ['a text in a circle', { 3: ['KSampler', { positive: ['6', 0] }], 6: ['CLIPTextEncode', { text: ['9', 0] }], 9: ['String', { text: ['10', 0] }], 10: ['String', { text: ['9', 0] }] }, /A text is missing/],
  ['links to nothing', { 3: ['KSampler', { positive: ['6', 0], negative: ['7', 0] }] }, /node 6 is not in the graph/],
  ['a long way', { 3: ['KSampler', { positive: ['c0', 0] }], ...Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`c${i}`, ['ConditioningSetArea', { conditioning: [`c${i + 1}`, 0] }] as const])) }, /too many nodes/],
  ['ways that double', { 3: ['KSampler', { positive: ['c0', 0] }], ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`c${i}`, ['ConditioningCombine', { conditioning_1: [`c${i + 1}`, 0], conditioning_2: [`c${i + 1}`, 0] }] as const])) }, /too many nodes|not in the graph/],
])('%s: one sentence says that there is no prompt', (_, nodes, message) => {
  expect(() => of(nodes)).toThrow(ComfyGraphError);
  expect(() => of(nodes)).toThrow(message);
});

test('17,000 samplers, each of which goes on with the one before', () => {
  const nodes: Nodes = {
    ...texts,
    ...Object.fromEntries(
      Array.from({ length: 17_000 }, (_, i) => [
        `k${i}`,
        ['KSampler', { positive: ['6', 0], negative: ['7', 0], latent_image: [`k${i + 1}`, 0] }] as const,
      ]),
    ),
  };
  expect(of(nodes).prompts).toEqual(both);
  const more = Array.from({ length: 20_001 }, (_, i) => [i, ['N', {}] as const]);
  expect(() => of(Object.fromEntries(more))).toThrow(/20001 nodes/);
});

/** A node of a workflow as ComfyUI's page saves it: inputs by name and link, and the values of its widgets. */
const saved = (
  id: number,
  type: string,
  links: Readonly<Record<string, number | null>>,
  widgets: unknown = [],
  more: object = {},
) => ({
  id,
  type,
  mode: 0,
  inputs: Object.entries(links).map(([name, link]) => ({
    name,
    type: name === 'clip' ? 'CLIP' : 'CONDITIONING',
    link,
  })),
  outputs: [{ name: 'CONDITIONING', type: 'CONDITIONING' }],
  widgets_values: widgets,
  ...more,
});
const sampler = saved(3, 'KSampler', { positive: 1, negative: 2 }, [1, 'randomize', 20, 7, 'euler', 'normal', 1]);
const positive = saved(6, 'CLIPTextEncode', { clip: null }, ['a cat // not a dog']);
const negative = saved(7, 'CLIPTextEncode', { clip: null }, ['fog']);
const link = (id: number, from: number, to: number, slot = 0, toSlot = 0) => [
  id,
  from,
  slot,
  to,
  toSlot,
  'CONDITIONING',
];
const workflow = (nodes: object[], links: unknown[], more = {}) =>
  read(JSON.stringify({ nodes, links, version: 0.4, ...more }));
const page = { positive: 'a cat // not a dog', negative: 'fog' };
const named = (name: string) => ({ inputs: [{ name, type: 'STRING', link: 9, widget: { name } }] });

// biome-ignore format: one workflow, one line
test.each<[string, object[], unknown[]]>([
  ['as it is', [sampler, positive, negative], [link(1, 6, 3), link(2, 7, 3)]],
  ['with a reroute', [sampler, positive, negative, saved(8, 'Reroute', { '': 4 })], [link(1, 8, 3), link(2, 7, 3), link(4, 6, 8)]],
  ['with a node that is bypassed', [sampler, positive, negative, saved(8, 'ConditioningSetArea', { clip: null, conditioning: 4 }, [], { mode: 4 })], [link(1, 8, 3), link(2, 7, 3), link(4, 6, 8)]],
  ['with Set and Get', [sampler, positive, negative, saved(8, 'SetNode', { x: 4 }, ['p']), saved(9, 'GetNode', {}, ['p'])], [link(1, 9, 3), link(2, 7, 3), link(4, 6, 8)]],
  ['with a primitive', [sampler, saved(6, 'CLIPTextEncode', {}, ['old'], named('text')), negative, saved(8, 'PrimitiveNode', {}, ['a cat // not a dog'])], [link(1, 6, 3), link(2, 7, 3), link(9, 8, 6)]],
  ['with a string node', [sampler, saved(6, 'CLIPTextEncode', {}, ['old'], named('text')), negative, saved(8, 'Text Multiline', {}, ['a cat // not a dog'])], [link(1, 6, 3), link(2, 7, 3), link(9, 8, 6)]],
  ['with names of all widgets', [sampler, saved(6, 'MyEncode', {}, [3, 'fixed', 'a cat // not a dog'], { inputs: ['seed', 'text'].map((name) => ({ name, link: null, widget: { name } })) }), negative], [link(1, 6, 3), link(2, 7, 3)]],
  ['with widgets as an object', [sampler, saved(6, 'MyEncode', {}, { text: 'a cat // not a dog' }), negative], [link(1, 6, 3), link(2, 7, 3)]],
])('a workflow %s', (_, nodes, links) => {
  expect(workflow(nodes, links)).toMatchObject({ prompts: page, fromPage: true });
});

test('a node that is switched off gives nothing', () => {
  const off = { ...positive, mode: 2 };
  expect(workflow([sampler, off, negative], [link(1, 6, 3), link(2, 7, 3)]).prompts).toEqual({
    positive: '',
    negative: 'fog',
  });
});

test('subgraphs, one in another, stand for their nodes', () => {
  const inner = {
    id: 'inner',
    nodes: [saved(1, 'CLIPTextEncode', { clip: null }, ['unused'], named('text'))],
    links: [
      { id: 9, origin_id: -10, origin_slot: 0, target_id: 1, target_slot: 0 },
      { id: 2, origin_id: 1, origin_slot: 0, target_id: -20, target_slot: 0 },
    ],
  };
  const outer = {
    id: 'outer',
    nodes: [saved(5, 'inner', { text: 4 }), saved(6, 'PrimitiveString', {}, ['a cat // not a dog'])],
    links: [
      { id: 4, origin_id: 6, origin_slot: 0, target_id: 5, target_slot: 0 },
      { id: 5, origin_id: 5, origin_slot: 0, target_id: -20, target_slot: 0 },
    ],
  };
  const definitions = { subgraphs: [inner, outer] };
  const found = workflow([sampler, saved(10, 'outer', {}), negative], [link(1, 10, 3), link(2, 7, 3)], { definitions });
  expect(found.prompts).toEqual(page);
});

test('subgraphs that hold themselves, and links in a circle, end', () => {
  const self = {
    id: 'self',
    nodes: [saved(1, 'self', { x: 1 }), saved(2, 'self', { x: 1 })],
    links: [{ id: 1, origin_id: 1, origin_slot: 0, target_id: -20, target_slot: 0 }],
  };
  const endless = () =>
    workflow([sampler, saved(6, 'self', {})], [link(1, 6, 3)], { definitions: { subgraphs: [self] } });
  expect(endless).toThrow(ComfyGraphError);
  const circle = [saved(6, 'Reroute', { x: 4 }), saved(7, 'Reroute', { x: 5 })];
  expect(() => workflow([sampler, ...circle], [link(1, 6, 3), link(4, 7, 6), link(5, 6, 7)])).toThrow(
    /no sampler and no text/,
  );
});

test('any JSON ends in prompts, in one sentence, or is no graph', () => {
  const name = fc.constantFrom(
    'positive',
    'negative',
    'text',
    'conditioning',
    'guider',
    'clip',
    'nodes',
    'links',
    'prompt',
    'string_a',
    'string_b',
  );
  const value = fc.oneof(
    fc.tuple(fc.constantFrom('1', '2', '3', 1), fc.nat(2)),
    fc.string(),
    fc.constant(null),
    fc.integer(),
  );
  const node = fc.record({
    class_type: fc.constantFrom(
      'KSampler',
      'CLIPTextEncode',
      'ConditioningCombine',
      'CFGGuider',
      'StringConcatenate',
      'ConditioningZeroOut',
    ),
    inputs: fc.dictionary(name, value),
  });
  const uiNode = fc.record({
    id: fc.nat(3),
    type: fc.constantFrom('KSampler', 'CLIPTextEncode', 'Reroute', 'SetNode', 'GetNode', 's'),
    mode: fc.constantFrom(0, 2, 4),
    inputs: fc.array(fc.record({ name, link: fc.nat(3) })),
    widgets_values: fc.array(fc.string()),
  });
  const uiLink = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(1), fc.nat(3), fc.nat(1));
  const subgraph = fc.record({
    id: fc.constant('s'),
    nodes: fc.array(uiNode, { maxLength: 3 }),
    links: fc.array(uiLink),
  });
  const any = fc.oneof(
    fc.dictionary(fc.constantFrom('1', '2', '3'), node),
    fc.record({
      nodes: fc.array(uiNode),
      links: fc.array(uiLink),
      definitions: fc.record({ subgraphs: fc.array(subgraph) }),
    }),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(any, (json) => {
      try {
        const graph = readComfyJson(JSON.stringify(json));
        if (graph) graphPrompts(graph);
      } catch (error) {
        if (!(error instanceof ComfyGraphError)) throw error;
        expect(error.message).toMatch(/^holds [^\n]+$/);
      }
    }),
    { numRuns: 1000 },
  );
});
