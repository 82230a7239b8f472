// The configuration once parsed: frozen, complete, in the units the rest of the house uses. Nobody re-validates it.
// config.ts makes it from YAML or quick flags.
export {};
//# sourceMappingURL=model.js.map