require('a-package-that-nobody-has'); exports.handler = async () => 1;
