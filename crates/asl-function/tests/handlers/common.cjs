exports.handler = async (event) => ({ cjs: true, event });
